"""Kinds of identifiers, and ids that follow from what they name, so that a retry finds what the first try made."""

import hashlib
from typing import NewType

RunId = NewType("RunId", str)  # 32 hex digits
ModelName = NewType("ModelName", str)
CycleId = NewType("CycleId", str)
RequestId = NewType("RequestId", str)


def derived_id(*parts: object) -> str:
    """Return 32 hex digits that depend on the parts alone.

    >>> derived_id("run", 1) == derived_id("run", 1) != derived_id("run", 2)
    True
    """
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
