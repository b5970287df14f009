"""Real time, and the time that the data say it is."""

from datetime import UTC, datetime


class SystemClock:
    """Implements core.ports.Clock with the machine's clock; never goes backwards within a process."""

    def __init__(self) -> None:
        self._last = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        self._last = max(self._last, datetime.now(tz=UTC))
        return self._last
