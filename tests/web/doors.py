"""The doors in this process, with something behind them to hurt, and a client that speaks ASGI to them."""

import asyncio
import json
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote, unquote, urlsplit

from homeostat.app.project import load
from homeostat.app.wiring import open_house
from homeostat.storage.sql.store import open_memory_store
from homeostat.web.control import build_door

HOST = "127.0.0.1:8701"
RUN = "0" * 32
MODEL_ID = f"m-{RUN}"
TRACE = f"tr-{RUN}"
PROJECT = """
model: late
task: binary
data: {source: rows.csv, target: late}
"""


class Door:
    def __init__(self, app, *, patience_s=60.0):
        self.app, self.patience_s = app, patience_s
        self.loop = asyncio.new_event_loop()

    def send(self, method, url, *, headers=None, body=b""):
        """Return (status, headers, body) of one request, whose address is sent as it is given; raise TimeoutError where none comes."""
        parts = urlsplit(url)
        usual = {"content-type": "application/json", "content-length": str(len(body))} if body else {}
        given = {"host": HOST, **usual, **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(parts.path),
            "raw_path": parts.path.encode("latin-1", "replace"),
            "query_string": parts.query.encode(),
            "scheme": "http",
            "root_path": "",
            "http_version": "1.1",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8701),
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in given.items()],
        }
        waiting, sent = [{"type": "http.request", "body": body, "more_body": False}], []

        async def receive():
            if not waiting:
                await asyncio.Event().wait()  # a client that stays
            return waiting.pop(0)

        async def send(message):
            sent.append(message)

        self.loop.run_until_complete(asyncio.wait_for(self.app(scope, receive, send), self.patience_s))
        start, *rest = sent
        found = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        return start["status"], found, b"".join(message.get("body", b"") for message in rest)

    def ask(self, method, path, /, **fields):
        """Send fields as clients do and return the answer's JSON, which must be a success."""
        status, _, body = self.send(method, path, body=json.dumps(fields).encode() if fields else b"")
        assert status < 300, (method, path, body)
        return json.loads(body or b"{}")


@contextmanager
def control_door(folder, *, store=None):
    """Yield (door, house) of a project without rows."""
    (folder / "homeostat.yaml").write_text(PROJECT)
    house = open_house(load(folder / "homeostat.yaml"), writer_id="test", actor="ann")
    house.store.close()
    house = replace(house, store=store or open_memory_store())
    door = Door(build_door(house))
    yield door, house
    door.loop.close()
    house.store.close()


def furnish(door, house):
    """Put one of each thing behind the door, and return what names them, by the names that requests use."""
    from datetime import UTC, datetime

    from homeostat.core.records.tracking import LoggedModel, Point, Run, RunStatus
    from homeostat.track.traces import SIZE_KEY

    now = datetime(2026, 1, 2, tzinfo=UTC)
    artifacts = f"artifacts/0/{RUN}/artifacts"
    with house.store.write() as tx:
        tx.runs.create(
            Run(run_id=RUN, experiment_id="0", name="r", status=RunStatus.RUNNING, started=now, artifacts=artifacts)
        )
        tx.runs.log_points(RUN, "0", [Point("rmse", 1.5, 1, step) for step in range(5)])
        tx.logged_models.add(
            LoggedModel(
                model_id=MODEL_ID,
                experiment_id="0",
                name="m",
                created=now,
                updated=now,
                artifacts=f"artifacts/0/models/{MODEL_ID}/artifacts",
            )
        )
    house.blobs.put_bytes(f"{artifacts}/model/MLmodel", b"flavors: {}")
    mlflow = "/api/2.0/mlflow/"
    door.ask("POST", f"{mlflow}registered-models/create", name="churn")
    source = f"mlflow-artifacts:/0/{RUN}/artifacts/model"
    door.ask("POST", f"{mlflow}model-versions/create", name="churn", source=source, run_id=RUN)
    door.ask("POST", f"{mlflow}registered-models/alias", name="churn", alias="best", version="1")
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
    whole = {SIZE_KEY: json.dumps({"num_spans": 0})}  # so that nobody waits for its spans
    info = {"trace_id": TRACE, "trace_location": place, "state": "OK", "trace_metadata": whole}
    door.ask("POST", f"{mlflow}traces", trace={"trace_info": info})
    assessment = {"assessment_name": "a", "source": {"source_type": "HUMAN"}, "feedback": {"value": 1}}
    made = door.ask("POST", f"{mlflow}traces/{TRACE}/assessments", assessment=assessment)["assessment"]
    event = {"entity": "MODEL_VERSION", "action": "CREATED"}
    hook = door.ask("POST", f"{mlflow}webhooks", name="w", url="https://hooks.example.org/x", events=[event])["webhook"]
    part = door.ask(
        "POST", f"/api/2.0/mlflow-artifacts/mpu/create/0/{RUN}/artifacts", path="big", num_parts=2
    )  # begun, and under way
    cycle = door.ask("POST", "/api/v1/cycles", because="new prices")
    return {
        "run_id": RUN,
        "experiment_id": "0",
        "model_id": MODEL_ID,
        "trace_id": TRACE,
        "assessment_id": made["assessment_id"],
        "webhook_id": hook["webhook_id"],
        "upload_id": part["upload_id"],
        "cycle_id": cycle["id"],
        "name": "churn",
        "version": "1",
        "alias": "best",
        "number": "1",
        "metric_key": "rmse",
        "path": f"0/{RUN}/artifacts/model/MLmodel",
    }


def quoted(value):
    return quote(value.encode("utf-8", "surrogatepass"), safe="")
