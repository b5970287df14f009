"""Following the routes in the store: each worker switches its plane to the newest, and says so or why it cannot."""

import logging
import os
import socket
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from homeostat.app.environments import BeingBuilt
from homeostat.app.wiring import House
from homeostat.core.errors import HomeostatError
from homeostat.core.records.routes import Route, Worker
from homeostat.registry.health import tell_unhealthy
from homeostat.registry.routing import to_return_to, was_brought_back
from homeostat.registry.workers import tell_unable
from homeostat.serve.switching import OnLoop, Superseded
from homeostat.serve.warm_up import WarmUpFailed

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
    is_final: bool = False


class RouteFollower:
    """Switches a plane to the newest routes and tells the store which generation this worker has switched to.

    A route that cannot be followed (a version that does not load) is tried again every second; the third failure is told to the store,
    for whoever waits. One that needs an environment which is being built is waited for. Meanwhile the route before it answers, or, in a
    process that has none, its champion alone. One of which a version fails its warm-up is not tried again: the version is told to be unhealthy,
    so that it is taken back, unless it came back by a roll-back itself or there is nobody else to answer. `keeps_previous`: the version that a roll-back would bring back stays in memory.
    """

    def __init__(self, house: House, plane: OnLoop, *, worker_id: str, keeps_previous: bool = False) -> None:
        self._house = house
        self._plane = plane
        self._worker_id = worker_id
        self._keeps_previous = keeps_previous
        self._started = house.clock.now()
        self._generations: dict[str, int] = {}
        self._failed: dict[str, _Failure] = {}
        self._superseded: set[str] = set()
        self._beaten: datetime | None = None

    def look(self) -> None:
        """Switch what has changed; beat when something did, or a second has passed."""
        with self._house.store.read() as tx:
            due = [(route, to_return_to(tx, route.model)) for route in tx.routes.all() if self._is_due(route)]
        self._superseded.clear()
        switched = [self._follow(route, previous if self._keeps_previous else None) for route, previous in due]
        now = self._house.clock.now()
        # abs: a clock that was set back must not silence the heart for as long
        if any(switched) or self._beaten is None or abs((now - self._beaten).total_seconds()) >= _BEAT_S:
            self.beat()

    def look_first(self) -> None:
        """Look before anybody is listened to. A model that nobody here answers for is tried again at once, as often as its failure needs to be told.

        Who listens takes its share of the requests, which other workers could answer meanwhile. So a route that came while the first one was loaded
        is followed too.
        """
        self._look_until_newest()
        for _ in range(_TRIES - 1):
            if not any(
                0 < failure.times < _TRIES and not failure.is_final and model not in self._plane.routes
                for model, failure in self._failed.items()
            ):
                return
            time.sleep(_RETRY_S)
            self._look_until_newest()

    def _look_until_newest(self) -> None:
        """Look, and again as long as a model without an answer has a newer route than the one that was looked at."""
        self.look()
        while self._superseded - self._plane.routes.keys():
            self.look()

    def _is_due(self, route: Route) -> bool:
        failure = self._failed.get(route.model)
        if failure is not None and failure.generation == route.generation:
            return not failure.is_final and time.monotonic() - failure.tried >= _RETRY_S
        return route.generation != self._generations.get(route.model)

    def _follow(self, route: Route, standby: int | None, *, trusted: int | None = None) -> bool:
        is_superseded = partial(self._is_superseded, route)
        try:
            self._plane.switch(route, standby=standby, trusted=trusted, is_superseded=is_superseded)
        except WarmUpFailed as error:
            if self._has_nobody_better(route, error.version):
                return self._follow(route, standby, trusted=error.version)
            self._refuse(route, error)
            return False
        except Superseded:
            log.info("%s: generation %s was given up for a newer one", route.model, route.generation)
            self._superseded.add(route.model)
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

    def _has_nobody_better(self, route: Route, version: int) -> bool:
        """Return whether a version that failed its warm-up answers all the same: a champion that was brought back, or the only one there is."""
        if version != route.champion:
            return False
        if route.model not in self._plane.routes:
            return True
        with self._house.store.read() as tx:
            return was_brought_back(tx, route.model)

    def _refuse(self, route: Route, error: WarmUpFailed) -> None:
        """Leave a route for good, of which a version failed its warm-up; whoever put it there takes it back."""
        house = self._house
        log.error("%s: generation %s is not switched to: %s", route.model, route.generation, error.message)
        tell_unhealthy(
            house.store,
            model=route.model,
            version=error.version,
            reason=error.why,
            worker_id=self._worker_id,
            now=house.clock.now(),
        )
        self._tell_unable(route, error.message)
        self._failed[route.model] = _Failure(route.generation, 1, time.monotonic(), is_final=True)
        if route.model not in self._plane.routes:
            self._make_do(route)

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
            self._tell_unable(route, told)

    def _tell_unable(self, route: Route, told: str) -> None:
        tell_unable(
            self._house.store,
            worker_id=self._worker_id,
            model=route.model,
            generation=route.generation,
            error=told,
            now=self._house.clock.now(),
        )

    def _make_do(self, route: Route) -> None:
        """Let the champion answer alone, where it can: a broken canary is no reason to answer nobody."""
        if route.versions == (route.champion,):
            return
        alone = Route(model=route.model, generation=route.generation, champion=route.champion, since=route.since)
        try:
            self._plane.switch(alone, trusted=route.champion)
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
