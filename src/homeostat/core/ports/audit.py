"""Where the audit log is kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from homeostat.core.records.events import Event
from homeostat.core.values import Json


class AuditStore(Protocol):
    def append(
        self, kind: str, *, subject: str, actor: str, time: datetime, payload: Json, key: str | None = None
    ) -> Event:
        """Add an event at the end of the chain, in the transaction under way. A `key` used before raises Conflict."""

    def by_key(self, key: str) -> Event | None: ...
    def events(
        self, *, after: int = 0, kinds: Sequence[str] = (), subject: str | None = None, limit: int | None = None
    ) -> list[Event]:
        """Return events with seq > `after`, oldest first."""

    def last(self) -> Event | None: ...
    def head(self) -> tuple[int, str] | None:
        """Return (seq, digest) of the newest entry as kept beside the chain: a chain cut at its end differs from it."""
