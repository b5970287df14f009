"""Where turns of the loop are kept, and what runs their steps."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from homeostat.core.records.cycles import Cycle

T = TypeVar("T")


class CycleStore(Protocol):
    def put(self, cycle: Cycle) -> None:
        """Insert or replace by `cycle_id`."""

    def get(self, cycle_id: str) -> Cycle: ...
    def find(self, cycle_id: str) -> Cycle | None: ...
    def running(self, model: str) -> Cycle | None: ...
    def recent(self, model: str | None = None, *, limit: int = 50) -> list[Cycle]: ...


class Durable(Protocol):
    """Runs the steps of a cycle so that each finishes once, whatever dies between: DBOS live, inline in simulated time.

    A step that waits (for requests, for a person) looks at the stores until it has its answer; after a crash it looks again.
    """

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Run the function and record its (JSON-ready) result; on a replay return the recorded result instead."""
