"""What a trigger looks at, what it answers, and what a trigger is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from homeostat.core.ids import derived_id
from homeostat.core.records.cycles import Cycle, CycleState
from homeostat.core.records.events import Event
from homeostat.retrain.settings import Triggers

LABELS_LATELY = timedelta(days=30)  # labels that came within it let more be expected
_TRAINED = (CycleState.PROMOTED, CycleState.REJECTED, CycleState.ROLLED_BACK, CycleState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The version that answers: when it was trained, on data as known when, and how many rows it learned from."""

    version: int
    trained_at: datetime
    as_of: datetime | None = None
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that the decision to retrain rests on, as known at `now`.

    `events`: `performance.decayed`, `drift.detected`, `quality.broken` since the last cycle's start, oldest first. `cycles`: cycles of
    the model, newest first; enough of them to count the unsuccessful ones in a row. `labels_come`: labels of answered rows have arrived lately.
    `labelled_rows_since_training`: rows whose label became known after the last cycle that trained had taken its snapshot, however that
    cycle ended. `last_schedule_check`: since when a due time of the schedule counts where there was no cycle yet.
    """

    model: str
    now: datetime
    champion: Champion | None = None
    events: tuple[Event, ...] = ()
    labels_come: bool = True
    labelled_rows_since_training: int = 0
    cycles: tuple[Cycle, ...] = ()
    last_schedule_check: datetime | None = None

    @property
    def last_cycle(self) -> Cycle | None:
        return self.cycles[0] if self.cycles else None

    @property
    def last_trained(self) -> Cycle | None:
        """The newest cycle that spent the effort of a training: any but those that were cancelled before."""
        return next((c for c in self.cycles if c.state in _TRAINED or c.run_id is not None), None)

    @property
    def unsuccessful_in_a_row(self) -> int:
        """How many of the newest cycles were over without a promotion; cancelled and running ones do not count."""
        count = 0
        for cycle in self.cycles:
            if cycle.state is CycleState.PROMOTED:
                break
            count += cycle.state in (CycleState.REJECTED, CycleState.ROLLED_BACK, CycleState.FAILED)
        return count

    def events_of(self, kind: str) -> list[Event]:
        """Return the events of that kind which concern the champion: what an earlier version did is no reason against this one."""
        version = self.champion.version if self.champion else None
        return [e for e in self.events if e.kind == kind and e.payload.get("version") in (None, version)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A reason for a cycle. `cause` names the occasion and stays the same until a cycle has started, so that a retry finds that cycle."""

    trigger: str
    cause: str
    because: str

    def cycle_id(self, model: str) -> str:
        return derived_id("cycle", model, self.cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A pure rule. Where several fire at once, the one of lowest `rank` names the cycle."""

    name: str
    rank: int
    fired: Callable[[Situation, Triggers], Firing | None]


def of_oldest(name: str, events: list[Event]) -> Firing | None:
    """Return a firing for events that wait: caused by the oldest, which later ones do not change, in the words of the newest."""
    if not events:
        return None
    oldest, newest = events[0], events[-1]
    summary = newest.payload.get("summary") or f"{newest.kind} at {newest.time:%Y-%m-%d %H:%M} UTC"
    return Firing(trigger=name, cause=f"{name}:{oldest.key or oldest.seq}", because=str(summary))
