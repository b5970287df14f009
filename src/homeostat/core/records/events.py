"""Entries of the audit log."""

from dataclasses import dataclass
from datetime import datetime

from homeostat.core.values import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An entry of the audit log. `kind` is `subject.verb_past`; `key` makes a retried step find its first try."""

    seq: int
    time: datetime
    actor: str
    kind: str
    subject: str
    payload: Json
    key: str | None
    previous: str
    digest: str
