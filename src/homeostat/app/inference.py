"""An inference process: follows the routes in the store and answers requests. `python -m homeostat.app.inference PROJECT WORKER`."""

import asyncio
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from homeostat.app.environments import BeingBuilt
from homeostat.app.loading import explainers, loader
from homeostat.app.node import node_of
from homeostat.app.project import load
from homeostat.app.supervisor import exit_when_orphaned, run_program
from homeostat.app.wiring import House, open_house, recording_of
from homeostat.core.errors import HomeostatError
from homeostat.core.records import ModelVersion, Route, Worker
from homeostat.registry.health import tell_unhealthy
from homeostat.registry.routing import to_return_to
from homeostat.registry.workers import tell_unable
from homeostat.serve.switching import Superseded, never, switch_from_thread

if TYPE_CHECKING:
    from homeostat.serve.door import Desk
    from homeostat.serve.metrics import ServeMetrics
    from homeostat.serve.plane import Plane
    from homeostat.serve.scoreboard import Scoreboard

log = logging.getLogger(__name__)

_LOOK_S = 0.1
_BEAT_S = 1.0
_RETRY_S = 1.0
_TRIES = 3


@dataclass(frozen=True, slots=True)
class _Failure:
    generation: int
    times: int
    tried: float


class Switched(Protocol):
    """A plane as a thread sees it."""

    def switch(
        self, route: Route, *, standby: int | None = None, is_superseded: Callable[[], bool] = never
    ) -> None: ...
    @property
    def routes(self) -> dict[str, Route]: ...


@dataclass(frozen=True, slots=True)
class OnLoop:
    """A plane that lives on an event loop, switched from threads."""

    plane: "Plane"
    loop: asyncio.AbstractEventLoop

    def switch(self, route: Route, *, standby: int | None = None, is_superseded: Callable[[], bool] = never) -> None:
        """Switch, and return when it is done."""
        switch_from_thread(self.plane, self.loop, route, standby=standby, is_superseded=is_superseded)

    @property
    def routes(self) -> dict[str, Route]:
        return self.plane.routes


class RouteFollower:
    """Switches a plane to the newest routes and tells the store which generation this worker has switched to.

    A route that cannot be followed (a version that does not load) is tried again every second; the third failure is told to the store,
    for whoever waits. One that needs an environment which is being built is waited for. Meanwhile the route before it answers, or, in a
    process that has none, its champion alone. `keeps_previous`: the version that a roll-back would bring back stays in memory.
    """

    def __init__(self, house: House, plane: "Switched", *, worker_id: str, keeps_previous: bool = False) -> None:
        self._house = house
        self._plane = plane
        self._worker_id = worker_id
        self._keeps_previous = keeps_previous
        self._started = house.clock.now()
        self._generations: dict[str, int] = {}
        self._failed: dict[str, _Failure] = {}
        self._beaten: datetime | None = None

    def look(self) -> None:
        """Switch what has changed; beat when something did, or a second has passed."""
        with self._house.store.read() as tx:
            due = [(route, to_return_to(tx, route.model)) for route in tx.routes.all() if self._is_due(route)]
        switched = [self._follow(route, previous if self._keeps_previous else None) for route, previous in due]
        now = self._house.clock.now()
        # abs: a clock that was set back must not silence the heart for as long
        if any(switched) or self._beaten is None or abs((now - self._beaten).total_seconds()) >= _BEAT_S:
            self.beat()

    def _is_due(self, route: Route) -> bool:
        failure = self._failed.get(route.model)
        if failure is not None and failure.generation == route.generation:
            return time.monotonic() - failure.tried >= _RETRY_S
        return route.generation != self._generations.get(route.model)

    def _follow(self, route: Route, standby: int | None) -> bool:
        try:
            self._plane.switch(route, standby=standby, is_superseded=partial(self._is_superseded, route))
        except Superseded:
            log.info("%s: generation %s was given up for a newer one", route.model, route.generation)
            return False
        except BeingBuilt:
            self._waits(route)
            return False
        except (Exception, SystemExit) as error:  # noqa: BLE001 - border: loading a model runs foreign code, and the heart must beat on
            told = error.message if isinstance(error, HomeostatError) else f"{type(error).__name__}: {error}"
            self._could_not(route, told)
            return False
        self._failed.pop(route.model, None)
        self._generations[route.model] = route.generation
        return True

    def _is_superseded(self, route: Route) -> bool:
        """Return whether the store has a newer route; False where it does not answer."""
        try:
            with self._house.store.read() as tx:
                newest = tx.routes.get(route.model)
        except Exception:  # border: a store that is away must not end what goes on without it
            log.exception("cannot read the routes")
            return False
        return newest is not None and newest.generation > route.generation

    def _waits(self, route: Route) -> None:
        """Try again in a second: an environment is being built, which is no failure."""
        self._failed[route.model] = _Failure(route.generation, self._times(route), time.monotonic())
        if route.model not in self._plane.routes:
            self._make_do(route)

    def _times(self, route: Route) -> int:
        before = self._failed.get(route.model)
        return before.times if before is not None and before.generation == route.generation else 0

    def _could_not(self, route: Route, told: str) -> None:
        times = self._times(route) + 1
        self._failed[route.model] = _Failure(route.generation, times, time.monotonic())
        if times == 1:
            log.error("cannot switch %s to generation %s: %s", route.model, route.generation, told)
        if route.model not in self._plane.routes:
            self._make_do(route)
        if times == _TRIES:
            house = self._house
            tell_unable(
                house.store,
                worker_id=self._worker_id,
                model=route.model,
                generation=route.generation,
                error=told,
                now=house.clock.now(),
            )

    def _make_do(self, route: Route) -> None:
        """Let the champion answer alone, where it can: a broken canary is no reason to answer nobody."""
        if route.versions == (route.champion,):
            return
        alone = Route(model=route.model, generation=route.generation, champion=route.champion, since=route.since)
        try:
            self._plane.switch(alone)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - border, as above
            log.error("the champion of %s does not load either: %s", route.model, error)  # noqa: TRY400

    def beat(self) -> None:
        """Tell the store that this worker lives, and what it has switched to."""
        now = self._house.clock.now()
        worker = Worker(
            worker_id=self._worker_id,
            pid=os.getpid(),
            host=socket.gethostname(),
            started=self._started,
            heartbeat=now,
            generations=dict(self._generations),
        )
        with self._house.store.write() as tx:
            tx.routes.beat(worker)
        self._beaten = now

    def leave(self) -> None:
        """Tell the store that this worker is gone, so that nobody waits for it."""
        with self._house.store.write() as tx:
            tx.routes.forget_worker(self._worker_id)


def follow(follower: RouteFollower, stop: threading.Event) -> None:
    """Look at the routes until told to stop. A store that does not answer is waited for: serving goes on."""
    while not stop.wait(_LOOK_S):
        try:
            follower.look()
        except Exception:  # the border of the thread: serving must outlive a database that is away
            log.exception("cannot read the routes")
            stop.wait(_BEAT_S)


def beat_on(follower: RouteFollower, stop: threading.Event) -> None:
    """Beat until told to stop: a worker that takes long to load a version lives, and is waited for."""
    while not stop.wait(_BEAT_S):
        try:
            follower.beat()
        except Exception:  # the border of the thread, as above
            log.exception("cannot tell the store that this worker lives")


class ServingWorker:
    """A project's plane and what keeps it up to date, whatever carries requests to it."""

    def __init__(self, house: House, *, worker_id: str) -> None:
        from homeostat.serve.metrics import ServeMetrics
        from homeostat.serve.scoreboard import Scoreboard

        self._house = house
        self._worker_id = worker_id
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._follower: RouteFollower | None = None
        self._board = Scoreboard(house.place.state / "metrics")
        self._metrics = ServeMetrics(self._board.counts)
        self._plane: Plane | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def open(self, *, default_model: str | None = None) -> "Desk":
        """Load what the routes name, on this event loop, and follow them from now on. `default_model`: whom paths without one mean; None: the project's."""
        from homeostat.serve.door import Desk
        from homeostat.serve.request_ids import fresh_ids

        house, settings = self._house, self._house.project.serve
        self._plane = plane = plane_of(house, self._metrics)
        self._keeping = asyncio.get_running_loop().create_task(keep_counts(self._metrics, self._board))
        on_loop = OnLoop(plane, asyncio.get_running_loop())
        follower = RouteFollower(house, on_loop, worker_id=self._worker_id, keeps_previous=settings.standby)
        await asyncio.get_running_loop().run_in_executor(None, follower.look)
        self._follower = follower
        for work in (follow, beat_on):
            self._threads.append(
                threading.Thread(target=work, args=(follower, self._stop), name=work.__name__, daemon=True)
            )
            self._threads[-1].start()
        return Desk(
            plane=plane,
            record=house.records,
            settings=settings,
            clock=house.clock,
            new_id=fresh_ids(),
            default_model=default_model or house.project.model,
            scoreboard=self._board,
            explainers=explainers(house),
        )

    def close(self) -> None:
        """Tell the store that this worker is gone, and close what it writes to."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=5)
        if self._follower is not None:
            self._follower.leave()
        self._board.write(self._metrics.snapshot())
        if self._plane is not None and self._plane.tracing is not None:
            self._plane.tracing.close()
        self._house.records.close()


def main() -> None:
    """Serve until SIGTERM."""
    from homeostat.serve.engine import Engine

    logging.basicConfig(level=os.environ.get("HOMEOSTAT_LOG", "WARNING").upper())
    exit_when_orphaned()
    project_file, number = sys.argv[1:3]
    place = load(Path(project_file))
    worker_id = f"worker-{number}-{node_of(place)}"
    house = open_house(place, writer_id=worker_id, actor=worker_id)
    worker = ServingWorker(house, worker_id=worker_id)
    settings = place.project.serve
    engine = Engine(
        host=settings.host,
        port=settings.port,
        make=worker.open,
        drain_s=settings.drain.total_seconds(),
        beside=None if settings.grpc_port is None else speak_grpc,
    )
    engine.run()
    worker.close()
    os._exit(0)  # threads of a model's library may hang: no exit waits for them


async def keep_counts(metrics: "ServeMetrics", board: "Scoreboard") -> None:
    """Write down every second what was counted."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_BEAT_S)
        await loop.run_in_executor(None, board.write, metrics.snapshot())


async def speak_grpc(desk: "Desk") -> "Callable[[], Awaitable[None]]":
    """Answer over gRPC too, and return what ends that."""
    from homeostat.serve.rpc.service import serve

    settings = desk.settings
    assert settings.grpc_port is not None
    _, stop = await serve(desk, host=settings.host, port=settings.grpc_port, drain_s=settings.drain.total_seconds())
    return stop


def plane_of(house: House, metrics: "ServeMetrics | None" = None) -> "Plane":
    """Return the plane of a project, to be made on the event loop that it lives on."""
    from homeostat.serve.otel import open_spans
    from homeostat.serve.plane import Plane
    from homeostat.serve.tracing import Tracing

    settings, data = house.project.serve, house.project.data

    def given_up(model: str, version: int, reason: str) -> None:
        """Tell the store, in a thread: the event loop must not wait for it."""
        tell = partial(
            tell_unhealthy,
            house.store,
            model=model,
            version=version,
            reason=reason,
            worker_id=house.actor,
            now=house.clock.now(),
        )
        asyncio.get_running_loop().run_in_executor(None, tell)

    runs: dict[tuple[str, int], str] = {}

    def found(version: ModelVersion) -> None:
        runs[version.model, version.version] = version.run_id

    spans = open_spans(
        ratio=settings.traces, run_of=lambda model, version: runs.get((model, version)), instance=house.actor
    )
    return Plane(
        loader(house, on_unhealthy=given_up, on_found=found),
        house.records,
        house.clock,
        time_column=data.time,
        key_column=house.project.key_column,
        optional=(*data.key, *data.exclude),
        max_rows=settings.max_rows,
        recording=recording_of(house.place),
        trial_timeout_s=settings.trial_timeout.total_seconds(),
        timeout_s=settings.timeout.total_seconds(),
        queue=settings.queue,
        metrics=metrics,
        tracing=None if spans is None else Tracing(spans.tell, ratio=settings.traces, close=spans.close),
    )


if __name__ == "__main__":
    run_program(main)
