from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from homeostat.core.errors import NotFound
from homeostat.core.webhooks import Delivery, DeliveryState, Webhook

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def hook(name="w", **more) -> Webhook:
    facts = {"webhook_id": name, "name": name, "url": "https://x.example/", "events": ("a", "b")}
    return Webhook(**facts | {"created": NOW, "updated": NOW} | more)


def delivery(name, webhook_id="w", seq=1, **more) -> Delivery:
    facts = {"delivery_id": name, "webhook_id": webhook_id, "seq": seq, "event": "a", "body": "{}"}
    return Delivery(**facts | {"created": NOW, "due": NOW} | more)


def test_a_webhook_reads_back_as_written_newest_first(store):
    first, second = (
        hook("one", secret="s", description="d", is_active=False, since=7),
        hook("two", created=NOW + timedelta(1)),
    )
    with store.write() as tx:
        tx.webhooks.put(first)
        tx.webhooks.put(second)
        tx.webhooks.put(replace(first, name="renamed"))
    with store.read() as tx:
        assert tx.webhooks.all() == [second, replace(first, name="renamed")]
        assert tx.webhooks.all(limit=1, offset=1) == [replace(first, name="renamed")]
        with pytest.raises(NotFound):
            tx.webhooks.get("three")


def test_the_longest_due_delivery_of_each_webhook_comes(store):
    with store.write() as tx:
        tx.webhooks.put(hook())
        tx.webhooks.add_deliveries(
            [
                delivery("late", seq=3, due=NOW - timedelta(hours=1)),
                delivery("first", seq=1, due=NOW - timedelta(hours=2)),
                delivery("other", "v", seq=2),
                delivery("to come", "u", due=NOW + timedelta(seconds=1)),
                delivery("done", "t", state=DeliveryState.DELIVERED),
            ]
        )
        tx.webhooks.add_deliveries([delivery("first", seq=1, body="changed")])
    with store.read() as tx:
        due = tx.webhooks.due(now=NOW)
        assert [each.delivery_id for each in due] == ["first", "other"]
        assert due[0].body == "{}"


def test_a_settled_delivery_is_due_no_more_and_forgotten_in_time(store):
    with store.write() as tx:
        tx.webhooks.put(hook())
        tx.webhooks.add_deliveries([delivery("a"), delivery("b", seq=2)])
        tx.webhooks.update_delivery(delivery("a", state=DeliveryState.FAILED, attempts=3, status=404, error="gone"))
        assert [each.delivery_id for each in tx.webhooks.due(now=NOW)] == ["b"]
        assert tx.webhooks.deliveries("w")[-1].error == "gone"
        assert tx.webhooks.forget_deliveries(before=NOW + timedelta(days=1)) == 1
        assert [each.delivery_id for each in tx.webhooks.deliveries("w")] == ["b"]


def test_a_webhook_goes_with_its_deliveries(store):
    with store.write() as tx:
        tx.webhooks.put(hook())
        tx.webhooks.add_deliveries([delivery("a"), delivery("b", "v")])
        tx.webhooks.delete("w")
        with pytest.raises(NotFound):
            tx.webhooks.delete("w")
        assert [each.delivery_id for each in tx.webhooks.due(now=NOW)] == ["b"]
