"""What time it is."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the present, UTC-aware; in simulated time, whatever the simulation says it is."""
