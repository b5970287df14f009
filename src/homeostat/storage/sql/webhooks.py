"""Webhooks and their deliveries in SQL."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from homeostat.core.errors import NotFound
from homeostat.core.webhooks import Delivery, DeliveryState, Webhook
from homeostat.storage.sql.rows import insert_missing, record_of, upsert, values_of
from homeostat.storage.sql.schema.webhooks import webhook_deliveries, webhooks


class SqlWebhooks:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, webhook: Webhook) -> None:
        upsert(self._connection, webhooks, values_of(webhook) | {"events": list(webhook.events)})

    def get(self, webhook_id: str) -> Webhook:
        row = self._connection.execute(select(webhooks).where(webhooks.c.webhook_id == webhook_id)).first()
        if row is None:
            raise NotFound(f"Webhook with ID {webhook_id} not found.")
        return _webhook(row)

    def all(self, *, limit: int | None = None, offset: int = 0) -> list[Webhook]:
        query = select(webhooks).order_by(webhooks.c.created.desc(), webhooks.c.webhook_id)
        return [_webhook(row) for row in self._connection.execute(query.limit(limit).offset(offset))]

    def delete(self, webhook_id: str) -> None:
        self.get(webhook_id)
        self._connection.execute(delete(webhook_deliveries).where(webhook_deliveries.c.webhook_id == webhook_id))
        self._connection.execute(delete(webhooks).where(webhooks.c.webhook_id == webhook_id))

    def add_deliveries(self, deliveries: Iterable[Delivery]) -> None:
        rows = [values_of(delivery) for delivery in deliveries]
        if rows:
            insert_missing(self._connection, webhook_deliveries, *rows)

    def due(self, *, now: datetime, limit: int = 100) -> list[Delivery]:
        table = webhook_deliveries
        rank = (
            func.row_number().over(partition_by=table.c.webhook_id, order_by=(table.c.due, table.c.seq)).label("rank")
        )
        waiting = select(table, rank).where(table.c.state == DeliveryState.PENDING.value, table.c.due <= now).subquery()
        query = select(waiting).where(waiting.c.rank == 1).order_by(waiting.c.due, waiting.c.seq).limit(limit)
        return [_delivery(row) for row in self._connection.execute(query)]

    def update_delivery(self, delivery: Delivery) -> None:
        which = webhook_deliveries.c.delivery_id == delivery.delivery_id
        self._connection.execute(
            update(webhook_deliveries).where(which).values(**values_of(delivery, without=("delivery_id",)))
        )

    def deliveries(self, webhook_id: str, *, limit: int = 100) -> list[Delivery]:
        table = webhook_deliveries
        query = select(table).where(table.c.webhook_id == webhook_id).order_by(table.c.seq.desc()).limit(limit)
        return [_delivery(row) for row in self._connection.execute(query)]

    def forget_deliveries(self, *, before: datetime) -> int:
        """Delete what was settled before that time; return how many."""
        table = webhook_deliveries
        old = (table.c.state != DeliveryState.PENDING.value) & (table.c.due < before)
        return self._connection.execute(delete(table).where(old)).rowcount


def _webhook(row: Row[Any]) -> Webhook:
    return record_of(Webhook, row, events=tuple(row.events))


def _delivery(row: Row[Any]) -> Delivery:
    return record_of(Delivery, row, state=DeliveryState(row.state))
