import json
import threading
from datetime import timedelta

import pytest
from tests.app.receiver import REACHABLE, receiver

from homeostat.app.webhooks import Deliverer, rules_here
from homeostat.audit.log import record
from homeostat.core.webhooks import DeliveryState, Webhook
from homeostat.registry import webhooks
from homeostat.registry.addresses import OutboundRules
from homeostat.testing.serving import NOW


@pytest.fixture
def deliverer(store, clock):
    made = Deliverer(store, clock, rules=REACHABLE, every_s=0.02)
    yield made
    made.stop()


def listen(store, url, name="w", **more) -> None:
    webhook = Webhook(
        webhook_id=name, name=name, url=url, events=("model_version.created",), created=NOW, updated=NOW, **more
    )
    with store.write() as tx:
        webhooks.create(tx, webhook, actor="ann", now=NOW)


def register(store, *versions: int) -> None:
    for version in versions:
        with store.write() as tx:
            record(
                tx, "model_version.registered", subject="model:m", actor="ann", time=NOW, payload={"version": version}
            )


def states(store, name="w") -> list[str]:
    with store.read() as tx:
        return [delivery.state.value for delivery in reversed(tx.webhooks.deliveries(name))]


def turn(deliverer) -> None:
    while deliverer.look():
        deliverer.settle()


def versions(other) -> list[str]:
    return [json.loads(body)["data"]["version"] for _, _, body in other.got]


def test_each_event_arrives_once_signed_and_in_order(store, deliverer):
    with receiver() as other:
        listen(store, other.url, secret="hush")
        register(store, 1, 2, 3)
        turn(deliverer)
        turn(deliverer)
    assert versions(other) == ["1", "2", "3"]
    assert states(store) == ["delivered"] * 3
    for _, headers, body in other.got:
        wanted = webhooks.signature(
            "hush", headers["x-mlflow-delivery-id"], headers["x-mlflow-timestamp"], body.decode()
        )
        assert headers["x-mlflow-signature"] == wanted
    assert len({headers["x-mlflow-delivery-id"] for _, headers, _ in other.got}) == 3


def test_a_delivery_that_failed_is_made_again_later_under_the_same_id(store, deliverer, clock):
    with receiver() as other:
        other.answer = lambda n: (503 if n < 3 else 200, {})
        listen(store, other.url)
        register(store, 1)
        turn(deliverer)
        assert len(other.got) == 1
        assert states(store) == ["pending"]
        for _ in range(2):
            clock.time += timedelta(seconds=10)
            turn(deliverer)
    assert states(store) == ["delivered"]
    assert len({headers["x-mlflow-delivery-id"] for _, headers, _ in other.got}) == 1
    assert len(other.got) == 3


def test_what_was_queued_survives_a_restart(store, clock):
    with receiver() as other:
        other.answer = lambda n: (500 if n == 1 else 200, {})
        listen(store, other.url)
        register(store, 1)
        first = Deliverer(store, clock, rules=REACHABLE)
        turn(first)
        first.stop()
        clock.time += timedelta(minutes=1)
        second = Deliverer(store, clock, rules=REACHABLE)
        turn(second)
        second.stop()
    assert states(store) == ["delivered"]


def test_an_address_that_may_not_be_called_fails_for_good(store, clock):
    with receiver() as other:
        listen(store, other.url)
        register(store, 1)
        deliverer = Deliverer(store, clock, rules=OutboundRules(schemes=("http",)))
        turn(deliverer)
        deliverer.stop()
    assert other.got == []
    with store.read() as tx:
        (delivery,) = tx.webhooks.deliveries("w")
    assert delivery.state is DeliveryState.FAILED
    assert "not a public" in str(delivery.error)


def test_a_receiver_that_hangs_holds_up_no_other(store, deliverer):
    may_answer = threading.Event()
    with receiver() as slow, receiver() as quick:

        def hang(_n):
            may_answer.wait(20)
            return 200, {}

        slow.answer = hang
        listen(store, slow.url, "slow")
        listen(store, quick.url, "quick")
        register(store, *range(10))
        deliverer.start()
        quick.wait_for(10)
        assert len(slow.got) == 1
        may_answer.set()
        slow.wait_for(10)
    assert versions(quick) == [str(n) for n in range(10)]


def test_the_thread_survives_a_look_that_failed(store, deliverer, monkeypatch, caplog):
    failed = threading.Event()
    real = webhooks.queue

    def once(tx, *, now):
        if not failed.is_set():
            failed.set()
            raise RuntimeError("disk")
        return real(tx, now=now)

    monkeypatch.setattr(webhooks, "queue", once)
    with receiver() as other:
        listen(store, other.url)
        deliverer.start()
        register(store, 1)
        other.wait_for(1)
    assert failed.is_set()
    assert "look_failed" in caplog.text


def test_settings_say_who_else_may_be_called(monkeypatch):
    monkeypatch.delenv("HOMEOSTAT_WEBHOOK_ALLOW", raising=False)
    monkeypatch.delenv("HOMEOSTAT_WEBHOOK_SCHEMES", raising=False)
    assert rules_here() == OutboundRules()
    monkeypatch.setenv("HOMEOSTAT_WEBHOOK_ALLOW", "127.0.0.1")
    monkeypatch.setenv("HOMEOSTAT_WEBHOOK_SCHEMES", "http")
    assert rules_here() == REACHABLE
