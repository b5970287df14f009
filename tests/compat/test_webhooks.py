"""Webhooks made by the unmodified client hear of what the client does, and MLflow's own check of the signature holds."""

import json

import pytest
from tests.app.receiver import receiver
from tests.compat.door import open_door

from homeostat.app.clock import SystemClock
from homeostat.app.webhooks import Deliverer
from homeostat.storage.blobs import LocalBlobs
from homeostat.storage.sql.store import open_store

mlflow = pytest.importorskip("mlflow", reason="no mlflow here")
from mlflow.entities.webhook import WebhookEvent, WebhookStatus  # noqa: E402
from mlflow.webhooks.delivery import _generate_hmac_signature  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own
EVENTS = (
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_tag.deleted",
    "model_version_alias.created",
    "model_version_alias.deleted",
    "prompt.created",
    "prompt_version.created",
    "prompt_alias.created",
)


@pytest.fixture
def client(tmp_path, monkeypatch):
    monkeypatch.setenv("HOMEOSTAT_WEBHOOK_ALLOW", "127.0.0.1/32")
    monkeypatch.setenv("HOMEOSTAT_WEBHOOK_SCHEMES", "http")
    store, clock = open_store(f"sqlite:///{tmp_path}/a.db"), SystemClock()
    deliverer = Deliverer(store, clock, every_s=0.02)
    before = mlflow.get_tracking_uri()
    with open_door(store=store, blobs=LocalBlobs(tmp_path / "blobs"), clock=clock) as address:
        mlflow.set_tracking_uri(address)
        deliverer.start()
        yield mlflow.MlflowClient()
        deliverer.stop()
    mlflow.set_tracking_uri(before)
    store.close()


def test_what_the_client_does_is_told(client):
    with receiver() as other:
        made = client.create_webhook(
            name="all", url=other.url, events=[WebhookEvent.from_str(event) for event in EVENTS], secret="hush"
        )
        assert [str(event) for event in made.events] == list(EVENTS)
        run = client.create_run("0")
        client.create_registered_model("m", tags={"a": "b"}, description="d")
        source = f"{run.info.artifact_uri}/model"
        version = client.create_model_version("m", source, run.info.run_id, tags={"t": "1"}).version
        client.set_model_version_tag("m", version, "k", "v")
        client.delete_model_version_tag("m", version, "k")
        client.set_registered_model_alias("m", "best", version)
        client.delete_registered_model_alias("m", "best")
        client.create_registered_model("late", tags={"x": "y"})
        mlflow.genai.register_prompt(name="p", template="Hi {{x}}", commit_message="c")
        mlflow.genai.set_prompt_alias("p", "live", 1)
        other.wait_for(10)
    told = []
    for _, headers, body in other.got:
        text = body.decode()
        signature = _generate_hmac_signature(
            "hush", headers["x-mlflow-delivery-id"], headers["x-mlflow-timestamp"], text
        )
        assert headers["x-mlflow-signature"] == signature
        found = json.loads(text)
        told.append((f"{found['entity']}.{found['action']}", found["data"]))
    assert told[:6] == [
        ("registered_model.created", {"name": "m", "tags": {"a": "b"}, "description": "d"}),
        (
            "model_version.created",
            {
                "name": "m",
                "version": "1",
                "source": source,
                "run_id": run.info.run_id,
                "tags": {"t": "1"},
                "description": None,
            },
        ),
        ("model_version_tag.set", {"name": "m", "version": "1", "key": "k", "value": "v"}),
        ("model_version_tag.deleted", {"name": "m", "version": "1", "key": "k"}),
        ("model_version_alias.created", {"name": "m", "alias": "best", "version": "1"}),
        ("model_version_alias.deleted", {"name": "m", "alias": "best"}),
    ]
    assert [event for event, _ in told[6:]] == [
        "registered_model.created",
        "prompt.created",
        "prompt_version.created",
        "prompt_alias.created",
    ]
    data = dict(told[8:])["prompt_version.created"]
    assert (data["name"], data["version"], data["template"]) == ("p", "1", "Hi {{x}}")
    assert dict(told)["prompt_alias.created"] == {"name": "p", "alias": "live", "version": "1"}


def test_the_client_reads_changes_and_deletes_webhooks(client):
    with receiver() as other:
        event = WebhookEvent.from_str("prompt.created")
        made = client.create_webhook(name="w", url=other.url, events=[event], description="d")
        assert client.get_webhook(made.webhook_id).description == "d"
        changed = client.update_webhook(made.webhook_id, name="x", status=WebhookStatus.DISABLED)
        assert (changed.name, changed.status, changed.events) == ("x", WebhookStatus.DISABLED, [event])
        assert [one.webhook_id for one in client.list_webhooks()] == [made.webhook_id]
        result = client.test_webhook(made.webhook_id)
        assert (result.success, result.response_status) == (True, 200)
        client.delete_webhook(made.webhook_id)
    assert list(client.list_webhooks()) == []
    with pytest.raises(mlflow.MlflowException, match="not found"):
        client.get_webhook(made.webhook_id)
