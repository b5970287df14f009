"""The loop as it runs in the control process: compact the record, watch, decide, run cycles."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TypeVar

import polars as pl

from homeostat.app.adapting import follow_rewards
from homeostat.app.durable import DurableCycles, Unfinished
from homeostat.app.environments import interpreters
from homeostat.app.wiring import House
from homeostat.core.ports.cycles import Durable
from homeostat.core.ports.probe import CandidateProbe
from homeostat.core.records.cycles import Cycle, CycleState
from homeostat.registry.health import replace_unhealthy_champion, take_unhealthy_out
from homeostat.registry.versions import CHAMPION
from homeostat.retrain.cycle import CycleRequest, run_cycle
from homeostat.retrain.requests import request_of
from homeostat.retrain.stages import LiveStages
from homeostat.retrain.tick import decide_and_ask, waiting
from homeostat.watch.look import look
from homeostat.watch.reference import kept_reference

log = logging.getLogger(__name__)

T = TypeVar("T")

COMPACT = timedelta(minutes=1)
QUIET = timedelta(minutes=1)  # how long nothing must be new until a look is due because time alone has passed
BRISK_S = 0.25  # a look that takes no longer is taken whenever there is news
_LEAD_S = 0.5
BEFORE_A_REPLAY = datetime(
    1970, 1, 1, tzinfo=UTC
)  # so that no cool-down reaches from the present into the past that is replayed


def rest_after(*took: float) -> float:
    """Return how long to rest after looks that took so long, in seconds: those that take long, for all that is new meanwhile, take one second in twenty.

    The shorter of the last two counts: a process's first look loads what it needs.

    >>> rest_after(3.25, 0.2)
    0.0
    >>> rest_after(3.25, 4.0)
    57.0
    """
    return 19 * max(0.0, min(took) - BRISK_S)


class Stopped(BaseException):
    """Raised inside a waiting step when the process stops. Not an Exception: the step must not count as failed, but run again."""


@dataclass(frozen=True, slots=True)
class _Led:
    """Durable steps, each of which begins only while this process leads."""

    durable: Durable
    await_lead: Callable[[], None]

    def step(self, name: str, function: Callable[[], T]) -> T:
        def led() -> T:
            self.await_lead()
            return function()

        return self.durable.step(name, led)


class Loop:
    """Owns the cycles of one project. `compact` begins to move the record's closed segments into tables, when they are due, and returns.

    `replay`: the loop's time is the newest event time in the record, not the machine's. `leads`: whether this process may act now; while it
    may not, no look and no step of a cycle begins. `ticks`: how often it looked, or had nothing to look at.
    """

    def __init__(
        self,
        house: House,
        *,
        workflow_database_url: str,
        probe: CandidateProbe | None,
        compact: Callable[[], None],
        replay: bool,
        leads: Callable[[], bool] = lambda: True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._house = house
        self._probe = probe
        self._compact = compact
        self._replay = replay
        self._leads = leads
        self._monotonic = monotonic
        self._stop = threading.Event()
        self._begun: set[str] = set()
        self._compacted: datetime | None = None
        self._looked: datetime | None = None
        self._known: object = None
        self._rested = 0.0
        self._took = 0.0
        self._workflow_database_url = workflow_database_url
        self.ticks = 0

    @cached_property
    def cycles(self) -> DurableCycles:
        """Launched when there is a first cycle, by the loop's thread."""
        cycles = DurableCycles(database_url=self._workflow_database_url, run=self._run)
        cycles.launch()
        return cycles

    def run(self, *, every_s: float) -> None:
        """Tick until `stop`. One failed tick is logged and the next one tries again; Unfinished is for whoever can start a new process."""
        self._take_up()
        while not self._stop.is_set():
            try:
                if self._leads():
                    self.tick()
            except Unfinished:
                raise
            except Exception:  # the border of the loop's thread: tomorrow's tick must come whatever today's met
                log.exception("a tick of the loop failed")
            self._stop.wait(every_s)

    def stop(self) -> None:
        self._stop.set()

    def tick(self) -> None:
        """Compact when due, take what is unhealthy out, look where there is news, and start what was asked for."""
        house = self._house
        now = house.clock.now()
        if self._compacted is None or now - self._compacted >= COMPACT:
            self._compact()
            self._compacted = now
        # at once, however long the looks take and rest
        replace_unhealthy_champion(store=house.store, model=house.project.model, actor="homeostat", now=now)
        take_unhealthy_out(store=house.store, model=house.project.model, actor="homeostat", now=now)
        news = self._news()
        is_due = news != self._known or self._looked is None or now - self._looked >= QUIET
        is_resting = self._monotonic() < self._rested
        if is_due and not is_resting:
            began = self._monotonic()
            self._look(now)
            self._known, self._looked = news, now
            if not self._replay:  # in which time passes as fast as it is looked at
                ended = self._monotonic()
                self._rested = ended + rest_after(self._took, ended - began)
                self._took = ended - began
        self._take_up()
        self.ticks += not (is_due and is_resting)

    def _take_up(self) -> None:
        """Start the cycle that waits; one that was under way when the process died goes on. End one that nobody will finish."""
        for cycle in waiting(self._house.store, self._house.project.model):
            if cycle.cycle_id not in self._begun:
                self.cycles.start(request_of(cycle))
                self._begun.add(cycle.cycle_id)
            elif because := self.cycles.lost(cycle.cycle_id):
                self._give_up(cycle, because)

    def _news(self) -> object:
        """Return what is the same as long as neither the record nor the state has changed."""
        with self._house.store.read() as tx:
            return self._house.records.stamp(self._house.project.model), tx.audit.head()

    def _look(self, now: datetime) -> None:
        """Watch what is new, and decide."""
        house = self._house
        loop_now = self.loop_now(now)
        if loop_now is not None:
            self._watch(loop_now, written_at=now)
        decide_and_ask(
            store=house.store,
            records=house.records,
            project=house.project,
            now=now,
            loop_now=loop_now or BEFORE_A_REPLAY,
        )
        follow_rewards(house, now=now)

    def loop_now(self, now: datetime) -> datetime | None:
        """Return the loop's time; None in a replay that has not begun."""
        if not self._replay:
            return now
        seen = self._house.records.read("predictions", self._house.project.model, columns=["event_time"])
        newest = seen["event_time"].max() if isinstance(seen, pl.DataFrame) and seen.height else None
        return newest if isinstance(newest, datetime) else None

    def _watch(self, loop_now: datetime, *, written_at: datetime) -> None:
        house, project = self._house, self._house.project
        with house.store.read() as tx:
            champion = tx.models.alias(project.model, CHAMPION)
            reference = None if champion is None else kept_reference(tx, project.model, champion)
        if reference is not None:
            look(
                store=house.store,
                records=house.records,
                model=project.model,
                reference=reference,
                settings=project.watch,
                task=project.task,
                now=loop_now,
                label_delay=project.data.label_delay,
                written_at=written_at,
            )

    def _give_up(self, cycle: Cycle, because: str) -> None:
        """End a cycle that nobody runs any more (its last steps could not be written, say), so that the next one may come."""
        stages = self._stages(request_of(cycle))
        if cycle.version is not None:
            stages.withdraw(cycle.version, because)
        stages.close(CycleState.FAILED, because, cycle.outcome)

    def _run(self, request: CycleRequest, durable: Durable) -> CycleState:
        stages = self._stages(request)
        led = _Led(durable, self._await_lead)
        return run_cycle(request, stages=stages, durable=led, policy=self._house.project.retrain)

    def _stages(self, request: CycleRequest) -> LiveStages:
        house = self._house
        return LiveStages(
            request=request,
            project=house.project,
            store=house.store,
            tables=house.tables,
            blobs=house.blobs,
            records=house.records,
            clock=house.clock,
            probe=self._probe,
            root=house.root,
            workdir=house.workdir,
            pause=self._pause,
            interpreter_of=interpreters(house.place),
        )

    def _await_lead(self) -> None:
        while not self._leads():
            self._pause(_LEAD_S)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped
