"""Which versions of which models are in memory, and the switch from one generation of a route to the next."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from homeostat.core.errors import NotFound, near
from homeostat.core.records.routes import Route
from homeostat.serve.batcher import Batcher, QueueBatcher, TickBatcher
from homeostat.serve.decoder import Decoder
from homeostat.serve.errands import Errands
from homeostat.serve.evaluator import Evaluator, Quick
from homeostat.serve.generation import Generation
from homeostat.serve.lane import Lane, lane_of
from homeostat.serve.loaded import Loaded
from homeostat.serve.recent import Recent
from homeostat.serve.standby import Standbys
from homeostat.serve.warm_up import WarmUpFailed, warm_up

log = logging.getLogger(__name__)
Load = Callable[[str, int], Awaitable[Evaluator | Quick]]


class Switchboard:
    """Holds the routed versions of any number of models. A switch is one swap of a reference, so nobody sees half of it.

    `load(model, version)` returns what evaluates a version, `rows` are options of its Decoder. Versions are let go as `errands`, and warmed
    up with `recent` rows, within `warm_timeout_s` all in all. `timeout_s`: of any batch. `queue`: requests that may wait for one version.
    To be made and used on one event loop.
    """

    def __init__(
        self,
        load: Load,
        *,
        rows: dict[str, Any],
        recent: Recent,
        errands: Errands,
        queue: int,
        timeout_s: float,
        warm_timeout_s: float,
    ) -> None:
        self._load = load
        self._rows = rows
        self._recent = recent
        self._errands = errands
        self._queue = queue
        self._timeout_s = timeout_s
        self._warm_timeout_s = warm_timeout_s
        self._generations: dict[str, Generation] = {}
        self._switching = asyncio.Lock()
        # one that was champion before comes back whatever it says to the rows of today
        self._standbys = Standbys(partial(self._loaded, is_trusted=True), self._let_go)

    async def switch(self, route: Route, *, standby: int | None = None, trusted: int | None = None) -> None:
        """Load and warm what the route needs, then serve by it; versions that it does not name are let go when they have answered.

        `standby`: a version that stays in memory, or is loaded beside all else, because a roll-back would bring it back.
        `trusted`: a version that answers even where it fails its warm-up, as there is nobody better.

        A route of an older generation than the one served is left alone. If a version cannot be loaded, or fails its warm-up
        (WarmUpFailed), the error is raised and everything stays as it was.
        """
        async with self._switching:
            now = self._generations.get(route.model)
            if now is not None and route.generation < now.route.generation:
                return
            held = {} if now is None else dict(now.loaded)
            fresh: dict[int, Loaded] = {}
            try:
                for version in route.versions:
                    if version not in held:
                        ready = await self._standbys.take(route.model, version)
                        fresh[version] = ready or await self._loaded(
                            route.model, version, is_trusted=version == trusted
                        )
            except BaseException:
                for each in fresh.values():
                    self._let_go(each)
                raise
            loaded = {version: held.get(version) or fresh[version] for version in route.versions}
            self._generations = {**self._generations, route.model: Generation(route, loaded, lane_of(route, loaded))}
            for version, gone in held.items():
                if version == standby and version not in loaded:
                    self._standbys.keep(route.model, gone)
                elif version not in loaded:
                    self._let_go(gone)
            if standby is None or standby in loaded:
                self._standbys.drop(route.model)
            else:
                self._standbys.want(route.model, standby)

    def forget(self, model: str) -> None:
        """Serve a model no longer."""
        gone = self._generations.get(model)
        self._generations = {name: other for name, other in self._generations.items() if name != model}
        self._standbys.drop(model)
        for loaded in gone.loaded.values() if gone is not None else ():
            self._let_go(loaded)

    def of(self, model: str) -> Generation:
        """Return the generation by which a model is served; raise NotFound where it is not."""
        found = self._generations.get(model)
        if found is None:
            hint = (
                near(model, self._generations)
                or "no model has a champion yet: `homeostat status` tells what is under way"
            )
            raise NotFound(f"no model '{model[:100]}' is served here", hint=hint)
        return found

    def lane(self, model: str) -> Lane | None:
        """Return what the short way needs; None where it is closed: a version on trial, no champion, no such model."""
        found = self._generations.get(model)
        return None if found is None else found.lane

    @property
    def models(self) -> list[str]:
        return sorted(self._generations)

    def standby(self, model: str) -> int | None:
        """Return the version that stands by for a roll-back, loaded or being loaded."""
        return self._standbys.version(model)

    @property
    def waiting(self) -> dict[tuple[str, int], int]:
        """Return how many requests wait for each version."""
        return {
            (name, version): each.batcher.waiting
            for name, one in self._generations.items()
            for version, each in one.loaded.items()
        }

    async def _loaded(self, model: str, version: int, *, is_trusted: bool = False) -> Loaded:
        start = time.perf_counter()
        found = await self._load(model, version)
        batcher: Batcher
        if isinstance(found, Quick):
            batcher = TickBatcher(found, queue=self._queue)
        else:
            batcher = QueueBatcher(found, queue=self._queue, timeout_s=self._timeout_s)
        loaded = Loaded(version, found, batcher, Decoder(found.signature, model=model, **self._rows))
        try:
            await warm_up(model, loaded, self._recent.of(model), limit_s=self._warm_timeout_s)
        except BaseException as error:
            if not (is_trusted and isinstance(error, WarmUpFailed)):
                self._let_go(loaded)
                raise
            log.warning("serve.warm_up_failed", extra={"model": model, "version": version, "why": error.message})
        took = time.perf_counter() - start
        log.info("serve.version_loaded", extra={"model": model, "version": version, "seconds": round(took, 3)})
        return loaded

    def _let_go(self, loaded: Loaded) -> None:
        self._errands.begin(loaded.close())
