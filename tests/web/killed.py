"""A real tracking server under load, clients that remember what they were answered, and the comparison after a kill -9."""

import http.client
import json
import random
import socket
import subprocess
import sys
import threading
import time

from homeostat.audit.log import verify
from homeostat.storage.blobs import LocalBlobs
from homeostat.storage.sql.store import open_store


class Server:
    """`homeostat tracking` in a folder; the command becomes the server, so that its process is the one to kill."""

    def __init__(self, folder, database):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "homeostat", "tracking", "--port", str(self.port), "--database", database]
        self.process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)

    def wait(self):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the server ended by itself"
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    connection.close()
                    return
            except OSError:
                time.sleep(0.01)
        raise AssertionError("the server does not answer")

    def kill(self):
        self.process.kill()
        self.process.wait()


class Known:
    """What one run must hold, and what it may: whatever was asked for and not answered may be there, whole."""

    def __init__(self):
        self.metrics, self.params, self.status = set(), {}, "RUNNING"
        self.tag = -1
        self.batches = {}  # step: (how many points, was it answered?)
        self.files = set()
        self.versions = {}  # number: how many tags were answered
        self.alias = 0


class Writer(threading.Thread):
    """Opens runs, fills them and registers versions of them, until the connection breaks."""

    def __init__(self, port, seed):
        super().__init__()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.random = random.Random(seed)
        self.model = f"model-{seed}"
        self.runs, self.wrong = {}, []

    def ask(self, method, path, body, kind="application/json"):
        self.connection.request(method, path, body, {"Content-Type": kind})
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            self.wrong.append((path, answer.status, content))
        return content

    def post(self, path, **fields):
        return json.loads(self.ask("POST", f"/api/2.0/mlflow/{path}", json.dumps(fields)))

    def run(self):
        try:
            self.post("registered-models/create", name=self.model)
            while True:
                made = self.post("runs/create", experiment_id="0", start_time=1)["run"]["info"]["run_id"]
                known = self.runs[made] = Known()
                for number in range(self.random.randint(1, 10)):
                    self.random.choice(STEPS)(self, made, known, number)
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            return  # killed
        finally:
            self.connection.close()

    def metric(self, run_id, known, number):
        value = number + 0.5
        self.post("runs/log-metric", run_id=run_id, key="m", value=value, timestamp=number, step=number)
        known.metrics.add(value)

    def batch(self, run_id, known, number):
        points = [
            {"key": "b", "value": self.random.random(), "timestamp": at, "step": number}
            for at in range(self.random.randint(1, 200))
        ]
        known.batches[number] = (len(points), False)
        self.post("runs/log-batch", run_id=run_id, metrics=points, params=[{"key": f"b{number}", "value": "x"}])
        known.batches[number] = (len(points), True)

    def param(self, run_id, known, number):
        self.post("runs/log-parameter", run_id=run_id, key=f"p{number}", value=str(number))
        known.params[f"p{number}"] = str(number)

    def tag(self, run_id, known, number):
        self.post("runs/set-tag", run_id=run_id, key="t", value=str(number))
        known.tag = number

    def end(self, run_id, known, number):
        self.post("runs/update", run_id=run_id, status="FINISHED", end_time=number)
        known.status = "FINISHED"

    def artifact(self, run_id, known, number):
        name = f"{number}-{self.random.choice((0, 10, 100_000, 3_000_000))}"
        path = f"0/{run_id}/artifacts/{name}"
        self.ask("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{path}", content_of(name), "application/octet-stream")
        known.files.add(name)

    def version(self, run_id, known, number):
        source = f"mlflow-artifacts:/0/{run_id}/artifacts/model"
        made = self.post("model-versions/create", name=self.model, source=source, run_id=run_id)["model_version"]
        known.versions[int(made["version"])] = 0
        self.post("registered-models/alias", name=self.model, alias="newest", version=made["version"])
        known.alias = int(made["version"])
        self.post("model-versions/set-tag", name=self.model, version=made["version"], key="t", value="1")
        known.versions[int(made["version"])] = 1


STEPS = (Writer.metric, Writer.batch, Writer.param, Writer.tag, Writer.end, Writer.artifact, Writer.version)


def content_of(name):
    """The bytes that a file of that name holds: as many as the name says."""
    return random.Random(name).randbytes(int(name.partition("-")[2]))


def check(database, folder, writers):
    """Compare the store with what was answered: all of that is there, and nothing is there by half."""
    store, blobs = open_store(database), LocalBlobs(folder / ".homeostat" / "blobs")
    with store.read() as tx:
        for writer in writers:
            for run_id, known in writer.runs.items():
                _check_run(tx, run_id, known)
                _check_files(blobs, run_id, known)
            _check_model(tx, writer)
    events = verify(store)
    store.close()
    assert events >= sum(len(writer.runs) for writer in writers)


def _check_run(tx, run_id, known):
    (detail,) = tx.runs.details([run_id])
    points = {key: tx.runs.points(run_id, key) for key in ("m", "b")}
    assert known.metrics <= {point.value for point in points["m"]}
    for step, (count, was_answered) in known.batches.items():
        there = sum(point.step == step for point in points["b"])
        assert there == count or (there == 0 and not was_answered), (run_id, step, there, count)
        assert (f"b{step}" in detail.run.params) == (there > 0)
    assert known.params.items() <= detail.run.params.items()
    assert known.tag <= int(detail.run.tags.get("t", -1))
    if known.status == "FINISHED":
        assert detail.run.status.value == "FINISHED"
    for newest in detail.latest:
        assert newest == max(points[newest.key], key=lambda point: (point.step, point.time_ms, point.value))


def _check_files(blobs, run_id, known):
    place = f"artifacts/0/{run_id}/artifacts"
    there = {entry.name for entry in blobs.entries(place)}
    assert known.files <= there
    for name in there:
        assert blobs.get_bytes(f"{place}/{name}") == content_of(name), name


def _check_model(tx, writer):
    answered = {number: known for known in writer.runs.values() for number in known.versions}
    versions = {version.version: version for version in tx.models.versions(writer.model)}
    assert answered.keys() <= versions.keys()
    assert sorted(versions) == list(range(1, len(versions) + 1))
    for number, known in answered.items():
        assert versions[number].run_id in writer.runs
        if known.versions[number]:
            assert versions[number].tags == {"t": "1"}
    newest = max((known.alias for known in writer.runs.values()), default=0)
    assert (tx.models.aliases(writer.model).get("newest") or 0) >= newest


def rounds(folder, database, count, say, *, clients=6):
    """Kill the server `count` times, each time at a random moment under load; compare after each kill, and everything in the end."""
    everyone = []
    for number in range(count):
        seed = random.SystemRandom().randrange(2**32)
        say(f"[kill {number}: seed {seed}]")
        server = Server(folder, database)
        server.wait()
        writers = [Writer(server.port, seed + at) for at in range(clients)]
        for writer in writers:
            writer.start()
        time.sleep(random.Random(seed).uniform(0.05, 1.0))  # when to kill is what is random here
        server.kill()
        for writer in writers:
            writer.join()
            assert writer.wrong == []
        check(database, folder, writers)
        everyone += writers
    check(database, folder, everyone)
    assert sum(len(writer.runs) for writer in everyone) > count
    return everyone
