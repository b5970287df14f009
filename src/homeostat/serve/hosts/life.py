"""How a model's process learns that its engine is gone, however that ended."""

import os
from functools import cache


@cache
def life() -> int:
    """Return the reading end of a pipe whose other end this process alone holds, and never writes to or closes: its end is the process' end."""
    reading, _ = os.pipe()
    return reading
