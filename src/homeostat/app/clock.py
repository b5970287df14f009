"""Real time."""

import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """Implements core.ports.clock.Clock with the machine's clock, which may be set back; within a process time only goes on.

    After a jump back it goes on from where it was, at the pace of the monotonic clock, until the machine's clock has caught up.
    """

    def __init__(self) -> None:
        self._last = datetime.min.replace(tzinfo=UTC)
        self._at = time.monotonic()

    def now(self) -> datetime:
        at = time.monotonic()
        told = datetime.now(tz=UTC)
        going_on = self._last + timedelta(seconds=at - self._at)
        self._last, self._at = max(told, going_on), at
        return self._last
