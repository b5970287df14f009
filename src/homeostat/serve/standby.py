"""Versions that answer nobody and are ready to: those that a roll-back would bring back, so that it waits for nothing to load."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from homeostat.serve.loaded import Loaded

log = logging.getLogger(__name__)


class Standbys:
    """At most one version of each model. `load` brings one into memory, `let_go` ends it. To be used on one event loop."""

    def __init__(
        self, load: Callable[[str, int], Coroutine[Any, Any, Loaded]], let_go: Callable[[Loaded], None]
    ) -> None:
        self._load = load
        self._let_go = let_go
        self._ready: dict[str, Loaded] = {}
        self._loading: dict[str, tuple[int, asyncio.Task[Loaded]]] = {}

    def keep(self, model: str, loaded: Loaded) -> None:
        """Let a version that is in memory stand by, in the place of any other."""
        self.drop(model)
        self._ready[model] = loaded

    def want(self, model: str, version: int) -> None:
        """Let a version stand by, in the place of any other; it is loaded beside all else, and where it cannot be, none stands by."""
        if self.version(model) == version:
            return
        self.drop(model)
        task = asyncio.get_running_loop().create_task(self._load(model, version))
        self._loading[model] = (version, task)
        task.add_done_callback(lambda done: self._brought(model, version, done))

    async def take(self, model: str, version: int) -> Loaded | None:
        """Return the version, which from now on stands by no longer; None where it does not, or is not able to answer."""
        if self.version(model) != version:
            return None
        if model in self._loading:
            await asyncio.wait({self._loading[model][1]})
        found = self._ready.get(model)
        if found is None or found.version != version:
            return None
        if found.is_given_up:
            self.drop(model)
            return None
        return self._ready.pop(model)

    def drop(self, model: str) -> None:
        """Let nothing stand by for a model."""
        if (loading := self._loading.pop(model, None)) is not None:
            loading[1].cancel()
        if (ready := self._ready.pop(model, None)) is not None:
            self._let_go(ready)

    def version(self, model: str) -> int | None:
        """Return which version stands by, loaded or being loaded."""
        if model in self._ready:
            return self._ready[model].version
        return self._loading[model][0] if model in self._loading else None

    def _brought(self, model: str, version: int, done: "asyncio.Task[Loaded]") -> None:
        is_wanted = model in self._loading and self._loading[model][1] is done
        if is_wanted:
            del self._loading[model]
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            log.warning("serve.standby_not_loaded", extra={"model": model, "version": version, "why": str(error)})
        elif is_wanted:
            self._ready[model] = done.result()
        else:
            self._let_go(done.result())
