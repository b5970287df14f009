"""Long work beside the event loop, in a thread: while one client's million rows are read, recorded and told, all others are answered."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
MOST_BYTES = 256 << 10  # of a body that is read at once
MOST_ROWS = 4096  # that are recorded and told at once


async def beside(work: Callable[[], T], *, is_long: bool) -> T:
    """Return what the work returns: at once, or, where it is long, when a thread has done it."""
    if not is_long:
        return work()
    return await asyncio.get_running_loop().run_in_executor(None, work)
