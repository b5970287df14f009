"""Work on the event loop that nobody waits for now: each piece is held until it is done, and all of it is waited for at the end."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Errands:
    """What was begun and is not done. To be used on one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin work, which must tell of its own failures."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself holds a task only weakly
        task.add_done_callback(self._tasks.discard)

    async def done(self, timeout_s: float | None = None) -> bool:
        """Wait for what was begun by now; return whether nothing is left."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)
        return not self._tasks
