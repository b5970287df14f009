"""Time as a simulation says it is, and the steps of a cycle that take none."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class SimulatedClock:
    """Implements core.ports.clock.Clock: time is what the simulation says, and never goes back."""

    time: datetime

    def now(self) -> datetime:
        return self.time

    def advance(self, to: datetime) -> None:
        if to < self.time:
            raise ValueError(f"time does not go back, from {self.time} to {to}")
        self.time = to


class InlineDurable:
    """Implements core.ports.cycles.Durable: runs each step at once. Results go through JSON, as they do where they are kept."""

    def step(self, name: str, function: Callable[[], T]) -> T:
        del name
        result: T = json.loads(json.dumps(function()))
        return result
