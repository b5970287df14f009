"""Where webhooks and what is to be sent to them are kept."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from homeostat.core.webhooks import Delivery, Webhook


class WebhookStore(Protocol):
    def put(self, webhook: Webhook) -> None: ...
    def get(self, webhook_id: str) -> Webhook: ...
    def all(self, *, limit: int | None = None, offset: int = 0) -> list[Webhook]:
        """Return webhooks, newest first."""

    def delete(self, webhook_id: str) -> None:
        """Delete it and what was still to be sent to it."""

    def add_deliveries(self, deliveries: Iterable[Delivery]) -> None:
        """Add deliveries; those that are known by their id stay as they are."""

    def due(self, *, now: datetime, limit: int = 100) -> list[Delivery]:
        """Return what is to be sent now: of each webhook the delivery that has been due for the longest."""

    def update_delivery(self, delivery: Delivery) -> None: ...
    def deliveries(self, webhook_id: str, *, limit: int = 100) -> list[Delivery]:
        """Return the newest deliveries of a webhook, newest first."""

    def forget_deliveries(self, *, before: datetime) -> int: ...
