"""Kinds of identifiers, and ids that follow from what they name, so that a retry finds what the first try made."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import NewType
from uuid import UUID

RunId = NewType("RunId", str)  # 32 hex digits
ModelName = NewType("ModelName", str)
CycleId = NewType("CycleId", str)
RequestId = NewType("RequestId", str)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def derived_id(*parts: object) -> str:
    """Return 32 hex digits that depend on the parts alone.

    >>> derived_id("run", 1) == derived_id("run", 1) != derived_id("run", 2)
    True
    """
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def timed_id(now: datetime, random: UUID) -> str:
    """Return 32 hex digits that sort by the time of their making: a UUID of version 7 (RFC 9562, section 5.7) without dashes.

    Rows that are made together then lie together in a table clustered by such ids. `random` is any UUID of version 4.

    >>> timed_id(datetime(2026, 1, 1, tzinfo=UTC), UUID("12345678-9abc-4def-8123-456789abcdef"))
    '019b76daa8007def8123456789abcdef'
    """
    digits = random.hex
    return f"{(now - _EPOCH) // _MILLISECOND:012x}7{digits[13:]}"
