"""The engine's side of explanations: a process for each version that is asked about, started by the first question and ended when none comes."""

import asyncio
import contextlib
import importlib.util
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from homeostat.core.errors import InvalidInput, MissingExtra
from homeostat.core.values import Json
from homeostat.serve.answer import Overloaded, PredictionFailed, TooLate, VersionDown
from homeostat.serve.evaluator import ModelError
from homeostat.serve.explain.contributions import NotExplainable
from homeostat.serve.hosts.frames import asking
from homeostat.serve.hosts.host import Host, HostSettings
from homeostat.serve.table import Table

IDLE_S = 300.0
MOST_VERSIONS = 2  # shap makes each process large
MOST_WAITING = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A version to be explained: its package, its signature where the package does not say it, and by which interpreter it runs."""

    package: Path
    signature: Json | None = None
    settings: HostSettings = field(default_factory=HostSettings)


Find = Callable[[str, int], Awaitable[Explained]]


class NoExplainer(MissingExtra):
    """The extra `explain` is not installed. Nothing is explained without it, so that the method does not depend on what is installed."""

    http_status = 501

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint, extra="explain")


def is_installed() -> bool:
    """Return whether the extra is there, without importing it."""
    return importlib.util.find_spec("shap") is not None


@dataclass(slots=True, eq=False)
class _One:
    """A version's process. `started`: done when it has loaded the version."""

    host: Host
    started: "asyncio.Task[None]"
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    used: float = 0.0


class Explainers:
    """Explains versions, each in a process of its own; to be used on one event loop.

    A question takes a process at most `timeout_s`; then it is ended.
    """

    def __init__(self, find: Find, *, timeout_s: float, has_extra: Callable[[], bool] = is_installed) -> None:
        self._find = find
        self._timeout_s = timeout_s
        self._has_extra = has_extra
        self._ones: dict[tuple[str, int], _One] = {}
        self._working: set[asyncio.Task[Json]] = set()
        self._ending: set[asyncio.Task[None]] = set()

    async def explain(self, model: str, version: int, table: Table, *, limit_s: float | None = None) -> Json:
        """Return what the columns of the rows contribute to the answers.

        Raises NoExplainer without the extra, NotExplainable, Overloaded, VersionDown where the process is away, still loads or takes too long,
        TooLate after `limit_s`, which ends nothing but the waiting, and PredictionFailed where the model's code fails.
        """
        if not self._has_extra():
            raise NoExplainer("explanations need shap, which is not installed here")
        # a task of its own: a client that does not wait must not cost the process, which takes seconds to load
        task = asyncio.get_running_loop().create_task(self._explained(model, version, table))
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        try:
            async with asyncio.timeout(limit_s):
                return await asyncio.shield(task)
        except TimeoutError:
            task.add_done_callback(_looked_at)
            raise TooLate(
                "no explanation within the time that the request allows", hint="give it more time, or send fewer rows"
            ) from None

    async def _explained(self, model: str, version: int, table: Table) -> Json:
        name = (model, version)
        one = await self._one(name)
        if one.waiting >= MOST_WAITING:
            raise Overloaded(
                f"{MOST_WAITING} requests wait for explanations of version {version} already", hint="ask again later"
            )
        one.waiting += 1
        try:
            await self._until_started(one, version)
            async with one.turn, asyncio.timeout(self._timeout_s):
                said = await one.host.ask(asking(table, verb="explain"))
        except ModelError as error:
            if error.kind == NotExplainable.code:
                raise NotExplainable(error.args[0]) from error
            raise PredictionFailed(
                f"version {version} of model '{model}' could not be explained: {error.kind}",
                hint="ask it for a prediction of the same rows: it fails, or answers otherwise each time",
            ) from error
        except TimeoutError as error:
            await self._end(name, one)
            raise VersionDown(
                f"no explanation within {self._timeout_s:g} s", hint="send fewer rows; serve.timeout is the limit"
            ) from error
        except (VersionDown, InvalidInput):
            if one.started.done():
                await self._end(name, one)
            raise
        finally:
            one.waiting -= 1
            loop = asyncio.get_running_loop()
            one.used = loop.time()
            loop.call_later(IDLE_S, self._end_idle)
        found: Json = said.value
        return found

    async def _one(self, name: tuple[str, int]) -> _One:
        found = self._ones.get(name)
        if found is not None:
            return found
        explained = await self._find(*name)
        found = self._ones.get(name)  # another question may have been faster
        if found is not None:
            return found
        if len(self._ones) >= MOST_VERSIONS:
            idle = [each for each, one in self._ones.items() if not one.waiting]
            if not idle:
                raise Overloaded(f"{MOST_VERSIONS} versions are being explained", hint="ask again later")
            oldest = min(idle, key=lambda each: self._ones[each].used)
            await self._end(oldest, self._ones[oldest])
        host = Host(
            explained.package,
            signature=explained.signature,
            settings=replace(explained.settings, module="homeostat.serve.explain.child"),
        )
        found = self._ones[name] = _One(host, asyncio.get_running_loop().create_task(host.start()))
        return found

    async def _until_started(self, one: _One, version: int) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await asyncio.shield(one.started)
        except TimeoutError:
            raise VersionDown(
                f"what explains version {version} is still being loaded", hint="ask again in some seconds"
            ) from None

    async def _end(self, name: tuple[str, int], one: _One) -> None:
        if self._ones.get(name) is one:
            del self._ones[name]
        one.started.cancel()
        with contextlib.suppress(asyncio.CancelledError, InvalidInput):
            await one.started
        await one.host.close()

    def _end_idle(self) -> None:
        loop = asyncio.get_running_loop()
        for name, one in list(self._ones.items()):
            if not one.waiting and loop.time() - one.used >= IDLE_S:
                task = loop.create_task(self._end(name, one))
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """End every process."""
        for name, one in list(self._ones.items()):
            await self._end(name, one)


def _looked_at(task: "asyncio.Task[Json]") -> None:
    if not task.cancelled():
        task.exception()
