"""Nouns of telling others: who wants to hear of which events, and each telling."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that wants to hear of `events` (`model_version.created`). `since` is the audit entry after which it does.

    `secret` signs what is sent, and is never shown or logged.
    """

    webhook_id: str
    name: str
    url: str
    events: tuple[str, ...]
    description: str | None = None
    secret: str | None = None
    is_active: bool = True
    since: int = 0
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for one address: `body` is sent until the receiver says that it has it, or for good reasons never will."""

    delivery_id: str
    webhook_id: str
    seq: int
    event: str
    body: str
    created: datetime
    due: datetime
    attempts: int = 0
    state: DeliveryState = DeliveryState.PENDING
    status: int | None = None
    error: str | None = None
