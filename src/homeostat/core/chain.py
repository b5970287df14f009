"""The hash chain of the audit log: pure, so that writing and verifying share it.

Each entry's digest covers all its fields and the digest before it (Haber and Stornetta, "How to time-stamp a digital document", 1991):
whoever changes, removes or swaps an entry must change every later one.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from homeostat.core.records.events import Event

GENESIS = "0" * 64


def digest(
    *,
    previous: str,
    seq: int,
    time: datetime,
    actor: str,
    kind: str,
    subject: str,
    payload: dict[str, Any],
    key: str | None,
) -> str:
    """Return the SHA-256 of an entry, as 64 hex digits."""
    fields = [previous, seq, time.astimezone(UTC).isoformat(), actor, kind, subject, payload, key]
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def first_bad(events: Iterable[Event], *, after: Event | None = None) -> tuple[int, str] | None:
    """Return (seq, what is wrong) of the first entry that does not fit the chain, or None where all do."""
    previous, expected = (after.digest, after.seq + 1) if after else (GENESIS, 1)
    for event in events:
        if event.seq != expected:
            return expected, f"entry {expected} is missing (found {event.seq} in its place)"
        if event.previous != previous:
            return event.seq, f"entry {event.seq} does not follow entry {event.seq - 1}"
        wanted = digest(
            previous=event.previous,
            seq=event.seq,
            time=event.time,
            actor=event.actor,
            kind=event.kind,
            subject=event.subject,
            payload=event.payload,
            key=event.key,
        )
        if wanted != event.digest:
            return event.seq, f"entry {event.seq} ({event.kind}) was changed after it was written"
        previous, expected = event.digest, expected + 1
    return None
