import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from homeostat.audit.log import record
from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.webhooks import Delivery, DeliveryState, Webhook
from homeostat.registry import webhooks
from homeostat.storage.sql.store import open_memory_store

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def store():
    opened = open_memory_store()
    yield opened
    opened.close()


def hook(name="w", events=("model_version.created", "model_version_alias.created"), **more) -> Webhook:
    facts = {"webhook_id": f"id-{name}", "url": "https://example.com/hook", "created": NOW, "updated": NOW}
    return Webhook(name=name, events=events, **facts | more)


def happen(store, kind="model_version.registered", model="m", **payload) -> None:
    with store.write() as tx:
        record(tx, kind, subject=f"model:{model}", actor="ann", time=NOW, payload=payload)


def queue(store) -> int:
    with store.write() as tx:
        return webhooks.queue(tx, now=NOW)


def queued(store, webhook_id="id-w") -> list[tuple[str, dict]]:
    with store.read() as tx:
        found = tx.webhooks.deliveries(webhook_id)
    return [(delivery.event, json.loads(delivery.body)["data"]) for delivery in reversed(found)]


def test_what_happens_after_a_webhook_is_made_is_queued_once(store):
    happen(store, version=1)
    with store.write() as tx:
        webhooks.create(tx, hook(), actor="ann", now=NOW)
    happen(store, version=2, source="runs:/x/m", run_id="x", tags={"a": "b"}, description="d")
    happen(store, "run.finished", model="m")
    happen(store, "alias.moved", alias="best", to=2)
    while queue(store):
        pass
    created = {
        "name": "m",
        "version": "2",
        "source": "runs:/x/m",
        "run_id": "x",
        "tags": {"a": "b"},
        "description": "d",
    }
    wanted = [
        ("model_version.created", created),
        ("model_version_alias.created", {"name": "m", "alias": "best", "version": "2"}),
    ]
    assert queued(store) == wanted
    assert queue(store) == 0
    assert queued(store) == wanted


def test_an_event_that_was_rolled_back_is_never_told(store):
    with store.write() as tx:
        webhooks.create(tx, hook(), actor="ann", now=NOW)
    with pytest.raises(RuntimeError), store.write() as tx:  # noqa: PT012 - the block is the transaction
        record(tx, "model_version.registered", subject="model:m", actor="ann", time=NOW, payload={"version": 1})
        raise RuntimeError
    queue(store)
    assert queued(store) == []


def test_only_active_webhooks_hear_and_only_of_what_they_asked_for(store):
    with store.write() as tx:
        webhooks.create(tx, hook("w", events=("prompt.created",)), actor="ann", now=NOW)
        webhooks.create(tx, hook("off", events=("registered_model.created",), is_active=False), actor="ann", now=NOW)
    happen(store, "registered_model.created", model="m")
    queue(store)
    assert queued(store, "id-w") == []
    with store.write() as tx:
        webhooks.change(tx, "id-off", {"is_active": True}, actor="ann", now=NOW)
    happen(store, "registered_model.created", model="n", description="", tags={})
    queue(store)
    assert queued(store, "id-off") == [("registered_model.created", {"name": "n", "tags": {}, "description": None})]


PROMPT_TAGS = {
    "mlflow.prompt.is_prompt": "true",
    "mlflow.prompt.text": "Hi {{x}}",
    "_mlflow_prompt_type": "text",
    "a": "b",
}


@pytest.mark.parametrize(
    ("kind", "payload", "wanted"),
    [
        (
            "registered_model.created",
            {"tags": PROMPT_TAGS},
            ("prompt.created", {"tags": {"a": "b"}, "description": None}),
        ),
        ("registered_model.tag_set", {"key": "k", "value": "v"}, ("prompt_tag.set", {"key": "k", "value": "v"})),
        ("registered_model.tag_deleted", {"key": "k"}, ("prompt_tag.deleted", {"key": "k"})),
        (
            "model_version.registered",
            {"version": 3, "tags": PROMPT_TAGS},
            (
                "prompt_version.created",
                {"version": "3", "template": "Hi {{x}}", "tags": {"a": "b"}, "description": None},
            ),
        ),
        (
            "model_version.tag_set",
            {"version": 3, "key": "k", "value": "v"},
            ("prompt_version_tag.set", {"version": "3", "key": "k", "value": "v"}),
        ),
        ("alias.removed", {"alias": "x"}, ("prompt_alias.deleted", {"alias": "x"})),
    ],
)
def test_prompts_are_told_of_as_prompts(store, kind, payload, wanted):
    happen(store, kind, model="p", is_prompt=True, **payload)
    with store.read() as tx:
        told = webhooks.told_of(tx.audit.last())
    assert told == (wanted[0], {"name": "p", **wanted[1]})


def test_what_is_said_of_a_model_itself_by_tags_is_told_to_nobody(store):
    happen(store, "registered_model.tag_set", key="k", value="v")
    with store.read() as tx:
        assert webhooks.told_of(tx.audit.last()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "-a"},
        {"name": "a" * 64},
        {"name": "a b"},
        {"events": ()},
        {"events": ("run.finished",)},
        {"description": "x" * 1001},
        {"secret": "x" * 1001},
    ],
)
def test_a_webhook_that_is_wrong_is_refused_and_nothing_is_stored(store, changes):
    with pytest.raises(InvalidInput), store.write() as tx:
        webhooks.create(tx, replace(hook(), **changes), actor="ann", now=NOW)
    with store.read() as tx:
        assert tx.webhooks.all() == []
        assert tx.audit.last() is None


def test_the_secret_is_in_no_audit_event(store):
    with store.write() as tx:
        webhooks.create(tx, hook(secret="hush"), actor="ann", now=NOW)
        webhooks.change(tx, "id-w", {"secret": "hush hush"}, actor="ann", now=NOW)
        webhooks.remove(tx, "id-w", actor="ann", now=NOW)
    with store.read() as tx:
        events = tx.audit.events()
        assert [event.kind for event in events] == ["webhook.created", "webhook.updated", "webhook.deleted"]
        assert "hush" not in str(events)
        with pytest.raises(NotFound):
            tx.webhooks.get("id-w")


def test_a_deleted_webhook_is_sent_nothing_more(store):
    with store.write() as tx:
        webhooks.create(tx, hook(), actor="ann", now=NOW)
    happen(store, version=1)
    queue(store)
    with store.write() as tx:
        webhooks.remove(tx, "id-w", actor="ann", now=NOW)
    with store.read() as tx:
        assert tx.webhooks.due(now=NOW) == []


def test_the_signature_is_the_one_that_receivers_check():
    delivery = pytest.importorskip("mlflow.webhooks.delivery")
    headers = webhooks.headers_of("d-1", '{"é": 1}', secret="s", now=NOW)
    wanted = delivery._generate_hmac_signature("s", "d-1", headers["X-MLflow-Timestamp"], '{"é": 1}')
    assert headers["X-MLflow-Signature"] == wanted
    assert "X-MLflow-Signature" not in webhooks.headers_of("d-1", "{}", secret=None, now=NOW)


def test_examples_have_the_fields_of_the_real_thing():
    types = pytest.importorskip("mlflow.webhooks.types")
    for (entity, action), payload in types.EVENT_TO_PAYLOAD_CLASS.items():
        event = f"{entity.value}.{action.value}"
        if event in webhooks.EVENTS:
            assert webhooks.example_of(event).keys() == payload.example().keys(), event


def a_delivery(**more) -> Delivery:
    facts = {"delivery_id": "d", "webhook_id": "w", "seq": 1, "event": "e", "body": "{}", "created": NOW, "due": NOW}
    return Delivery(**facts | more)


def after(delivery, status=None, error=None, retry_after_s=None):
    return webhooks.settled(delivery, status=status, error=error, retry_after_s=retry_after_s, now=NOW)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, "delivered"),
        (204, "delivered"),
        (301, "failed"),
        (307, "failed"),
        (400, "failed"),
        (404, "failed"),
        (408, "pending"),
        (429, "pending"),
        (500, "pending"),
        (503, "pending"),
    ],
)
def test_an_answer_settles_a_delivery_or_makes_it_due_again(status, state):
    found = after(a_delivery(), status)
    assert (found.state, found.attempts, found.status) == (state, 1, status)


def test_waits_double_up_to_an_hour_and_end():
    delivery, waits = a_delivery(), []
    while delivery.state is DeliveryState.PENDING:
        delivery = after(delivery, error="no route")
        waits.append((delivery.due - NOW).total_seconds())
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) == 3600
    assert len(waits) == webhooks.MOST_ATTEMPTS
    assert (delivery.state, delivery.error) == (DeliveryState.FAILED, "no route")


def test_a_receiver_that_says_when_is_waited_for_within_reason():
    assert after(a_delivery(), 429, retry_after_s=30.0).due == NOW + timedelta(seconds=30)
    assert after(a_delivery(), 503, retry_after_s=1e9).due == NOW + timedelta(hours=1)
