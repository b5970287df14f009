"""The data plane: holds the routed versions in memory, answers rows, and records what it answered before it does."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from homeostat.core.columns import Signature
from homeostat.core.errors import Conflict, HomeostatError, NotFound, near
from homeostat.core.ports.clock import Clock
from homeostat.core.records.routes import Route
from homeostat.serve.answer import Answer, Overloaded, PredictionFailed, Question, TooLate, VersionDown
from homeostat.serve.batcher import Batcher, Evaluated, QueueBatcher, TickBatcher
from homeostat.serve.beside import MOST_ROWS, beside
from homeostat.serve.decoder import Decoder
from homeostat.serve.evaluator import Evaluator, ModelError, Quick
from homeostat.serve.lane import Lane, lane_of
from homeostat.serve.loaded import Loaded
from homeostat.serve.metrics import ServeMetrics
from homeostat.serve.record import Recorded, RecordedRoute, answered, failed
from homeostat.serve.recorder import Recorder, Writes
from homeostat.serve.recording import EVERYTHING, Recording
from homeostat.serve.router import choose
from homeostat.serve.standby import Standbys
from homeostat.serve.table import Table
from homeostat.serve.tracing import Tracing
from homeostat.serve.warm_up import WarmUpFailed, warm_up
from homeostat.track.predictions import Predictions

log = logging.getLogger(__name__)
_WARM_ROWS = 32
_KEEP_EVERY = 64  # one request of so many is remembered for warming up
Load = Callable[[str, int], Awaitable[Evaluator | Quick]]


@dataclass(frozen=True, slots=True, eq=False)
class _Serving:
    """One generation of a model's route with all that it needs; replaced whole, never changed."""

    route: Route
    loaded: Mapping[int, Loaded]
    lane: Lane | None = None

    @property
    def champion(self) -> Loaded:
        if self.route.champion is None:
            raise Conflict(
                f"model '{self.route.model}' has no champion yet",
                hint="promote a version: `homeostat models promote`, or let a cycle finish",
            )
        return self.loaded[self.route.champion]


class Served(msgspec.Struct, kw_only=True, eq=False):
    """What doors may know of a version that answers. `kind`: `compiled`, `process` or `thread`."""

    model: str
    version: int
    route: Route
    decoder: Decoder
    kind: str

    @property
    def signature(self) -> Signature:
        return self.decoder.signature


class _Outcome(msgspec.Struct, eq=False):
    """What a version said to a request, or why it could not; and the rows that say so in the record."""

    predictions: Predictions | None
    rows: Sequence[Recorded]
    error: Exception | None = None
    waited_s: float = 0.0


class Plane:
    """Answers for any number of models, on one event loop, in which it must be made and asked.

    A switch of versions is one swap of a reference, so no request sees half of it. `load(model, version)` returns what evaluates it.
    `time_column`, `key_column` and `optional` are columns that rows may have beside the features; `key_column` makes a canary sticky. A
    canary or shadow has `trial_timeout_s` for a batch: after that a canary's request is answered by the champion. `timeout_s`: of any
    batch. `warm_timeout_s`: of all that a version is warmed up with. `queue`: requests that may wait for one version. `recording`: what of answers goes into the record. `tracing`: None: nothing is traced.
    """

    def __init__(
        self,
        load: Load,
        record: Writes,
        clock: Clock,
        *,
        time_column: str | None = None,
        key_column: str | None = None,
        optional: Iterable[str] = (),
        max_rows: int = 10_000,
        max_shadow_rows: int = 50_000,
        trial_timeout_s: float = 5.0,
        timeout_s: float = 30.0,
        warm_timeout_s: float = 30.0,
        queue: int = 1000,
        metrics: ServeMetrics | None = None,
        recording: Recording = EVERYTHING,
        tracing: Tracing | None = None,
    ) -> None:
        self.recording = recording
        self.tracing = tracing
        self.metrics = metrics or ServeMetrics()
        self.metrics.waiting = lambda: self.waiting
        self._load = load
        self._recorder = Recorder(record)
        self._clock = clock
        self._rows: dict[str, Any] = {
            "time": time_column,
            "key": key_column,
            "optional": tuple(optional),
            "max_rows": max_rows,
        }
        self._trial_timeout_s = trial_timeout_s
        self._timeout_s = timeout_s
        self._warm_timeout_s = warm_timeout_s
        self._queue = queue
        self._most_shadow_rows = max_shadow_rows
        self._shadow_rows = 0
        self._beside: set[asyncio.Task[None]] = set()
        self._serving: dict[str, _Serving] = {}
        self._recent: dict[str, deque[Table]] = {}
        self._asked = 0
        self._switching = asyncio.Lock()
        # one that was champion before comes back whatever it says to the rows of today
        self._standbys = Standbys(partial(self._loaded, is_trusted=True), self._let_go)

    # -- routes

    async def switch(self, route: Route, *, standby: int | None = None, trusted: int | None = None) -> None:
        """Load and warm what the route needs, then serve by it; versions that it does not name are let go when they have answered.

        `standby`: a version that stays in memory, or is loaded beside all else, because a roll-back would bring it back.
        `trusted`: a version that answers even where it fails its warm-up, as there is nobody better.

        A route of an older generation than the one served is left alone. If a version cannot be loaded, or fails its warm-up
        (WarmUpFailed), the error is raised and everything stays as it was.
        """
        async with self._switching:
            now = self._serving.get(route.model)
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
            self._serving = {**self._serving, route.model: _Serving(route, loaded, lane_of(route, loaded))}
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
        serving = self._serving.get(model)
        self._serving = {name: other for name, other in self._serving.items() if name != model}
        self._standbys.drop(model)
        for loaded in serving.loaded.values() if serving is not None else ():
            self._let_go(loaded)

    @property
    def routes(self) -> dict[str, Route]:
        return {name: serving.route for name, serving in sorted(self._serving.items())}

    @property
    def generations(self) -> dict[str, int]:
        """Return what this process has switched to, for the workers' table."""
        return {name: route.generation for name, route in self.routes.items()}

    def standby(self, model: str) -> int | None:
        """Return the version that stands by for a roll-back, loaded or being loaded."""
        return self._standbys.version(model)

    @property
    def waiting(self) -> dict[tuple[str, int], int]:
        """Return how many requests wait for each version."""
        return {
            (name, v): each.batcher.waiting for name, one in self._serving.items() for v, each in one.loaded.items()
        }

    def route(self, model: str) -> Route:
        return self._of(model).route

    def served(self, model: str, version: int | None = None) -> Served:
        """Return the version that answers (None: the champion); NotFound for a model or version that is not served, Conflict without champion."""
        serving = self._of(model)
        found = serving.champion if version is None else self._pinned(serving, version)
        return Served(
            model=model, version=found.version, route=serving.route, decoder=found.decoder, kind=found.evaluator.kind
        )

    def signature(self, model: str) -> Signature:
        """Return what the model's champion takes; raise NotFound for an unknown model, Conflict where there is no champion."""
        return self._of(model).champion.signature

    def lane(self, model: str) -> Lane | None:
        """Return what the short way needs; None where it is closed: a version on trial, a champion that is not compiled, none at all."""
        serving = self._serving.get(model)
        return None if serving is None else serving.lane

    # -- requests

    async def answer(self, asked: Question) -> Answer:
        """Return predictions for the rows, recorded before this returns.

        The key makes the choice of a canary sticky: that of the request, or the rows' own where all have the same, else the request id. Raises
        PredictionFailed where the champion fails and VersionDown where its process is away (both recorded), Overloaded, TooLate and NotFound
        for probabilities that a version does not give (not recorded), Unreachable where the answer cannot be recorded.
        """
        serving = self._of(asked.model)
        # a version that answers for another one, or shadows it, is asked late: a switch meanwhile must not close it
        held = list(serving.loaded.values()) if len(serving.loaded) > 1 else ()
        for each in held:
            each.asking += 1
        try:
            return await (self._answer if self.tracing is None else self._traced)(serving, asked)
        finally:
            for each in held:
                each.asking -= 1

    async def _traced(self, serving: _Serving, asked: Question) -> Answer:
        """Answer, and tell of it where the request is traced."""
        assert self.tracing is not None
        trail = self.tracing.begin(
            asked.parent,
            model=asked.model,
            request_id=asked.request_id,
            rows=asked.table.height,
            start=time.perf_counter(),
        )
        if trail is None:
            return await self._answer(serving, asked)
        asked.trail, asked.trace = trail, trail.trace_id
        try:
            return await self._answer(serving, asked)
        except HomeostatError as error:
            trail.error = error.code
            raise
        finally:
            trail.end = time.perf_counter()
            self.tracing.tell(trail)

    async def _answer(self, serving: _Serving, asked: Question) -> Answer:
        received = self._clock.now()
        role: RecordedRoute
        shadows: Sequence[int]
        if asked.version is None:
            champion = serving.champion
            key = asked.key if asked.key is not None else _common(asked.keys)
            features = _in_common(asked.table, serving.route) if serving.route.segments else None
            choice = choose(serving.route, request_id=asked.request_id, key=key, features=features)
            answering, role, shadows = serving.loaded[choice.answering], choice.role, choice.shadows
        else:
            champion = answering = self._pinned(serving, asked.version)
            role, shadows = "champion" if asked.version == serving.route.champion else "pinned", ()
        start = time.perf_counter()
        outcome = await self._evaluate(answering, asked, role, received)
        written = outcome.rows
        if outcome.predictions is None and role == "canary":
            answering = champion
            role = "champion"
            shadows = tuple(version for version in shadows if version != champion.version)
            left = None if asked.timeout_s is None else asked.timeout_s - (time.perf_counter() - start)
            outcome = await self._evaluate(champion, asked, role, received, left=left)
            written = [*written, *outcome.rows]
        if asked.wants_scores and outcome.predictions is not None and outcome.predictions.scores is None:
            raise NotFound(
                f"version {answering.version} of model '{asked.model}' gives no probabilities", hint="ask for predict"
            )
        trail = asked.trail
        if trail is not None:
            trail.version, trail.route = answering.version, role
        if written:
            before = time.perf_counter()
            await self._recorder.write(asked.model, written)
            if trail is not None:
                trail.recorded(before, time.perf_counter())
        if shadows and written:  # what is not recorded is compared with nothing
            self._evaluate_beside(serving, asked, shadows, received)
        if outcome.predictions is None:
            raise self._failure(asked, answering.version, outcome.error)
        self.metrics.series(asked.model, answering.version, role).answered(
            time.perf_counter() - start, outcome.waited_s
        )
        self.remember(asked.model, asked.table)
        return Answer(
            request_id=asked.request_id, model=asked.model, version=answering.version, predictions=outcome.predictions
        )

    async def fail(self, asked: Question, loaded: Loaded, error: Exception, *, start: float) -> HomeostatError:
        """Record that a champion could not answer rows that it was asked at `start`; return what to tell. Raises Unreachable where that cannot be recorded."""
        seconds = time.perf_counter() - start
        outcome = self._failed(asked, loaded, "champion", error, received=self._clock.now(), seconds=seconds)
        rows = asked.table.height
        self.metrics.series(asked.model, loaded.version, "champion").evaluated("error", 1, rows, rows, seconds)
        if outcome.rows:
            await self._recorder.write(asked.model, outcome.rows)
        return self._failure(asked, loaded.version, error)

    def remember(self, model: str, table: Table) -> None:
        """Keep now and then some rows that were answered, to warm up the next version with."""
        self._asked += 1
        if self._asked % _KEEP_EVERY == 1:
            self._recent.setdefault(model, deque(maxlen=4)).append(table.slice(0, _WARM_ROWS))

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Wait for the evaluations beside the answers; return whether they are done."""
        if self._beside:
            await asyncio.wait(set(self._beside), timeout=timeout_s)
        return not self._beside

    async def close(self, timeout_s: float | None = None) -> bool:
        """Finish what waits beside the answers, and let every version go; return whether all of it was done."""
        done = await self.flush(timeout_s)
        for model in list(self._serving):
            self.forget(model)
        return await self.flush(timeout_s) and done

    # -- inside

    def _of(self, model: str) -> _Serving:
        serving = self._serving.get(model)
        if serving is None:
            raise NotFound(f"no model '{model[:100]}' is served here", hint=near(model, self._serving))
        return serving

    def _pinned(self, serving: _Serving, version: int) -> Loaded:
        found = serving.loaded.get(version)
        if found is None:
            known = ", ".join(map(str, sorted(serving.loaded))) or "none"
            raise NotFound(
                f"version {version} of model '{serving.route.model}' is not served", hint=f"served now: {known}"
            )
        return found

    async def _loaded(self, model: str, version: int, *, is_trusted: bool = False) -> Loaded:
        start = time.perf_counter()
        found = await self._load(model, version)
        batcher: Batcher
        if isinstance(found, Quick):
            batcher = TickBatcher(found, queue=self._queue)
        else:
            batcher = QueueBatcher(found, queue=self._queue, timeout_s=self._timeout_s)
        loaded = Loaded(version, found, batcher, Decoder(found.signature, **self._rows))
        try:
            await warm_up(model, loaded, self._recent.get(model, ()), limit_s=self._warm_timeout_s)
        except BaseException as error:
            if not (is_trusted and isinstance(error, WarmUpFailed)):
                self._let_go(loaded)
                raise
            log.warning("serve.warm_up_failed", extra={"model": model, "version": version, "why": error.message})
        took = time.perf_counter() - start
        log.info("serve.version_loaded", extra={"model": model, "version": version, "seconds": round(took, 3)})
        return loaded

    def _let_go(self, loaded: Loaded) -> None:
        self._spawn(loaded.close())

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def _evaluate(
        self,
        loaded: Loaded,
        asked: Question,
        route: RecordedRoute,
        received: datetime,
        *,
        left: float | None = None,
    ) -> _Outcome:
        """Ask a version. Whatever its code raises becomes an outcome."""
        start = time.perf_counter()
        limit = asked.timeout_s if left is None else left
        on_trial = route in ("canary", "shadow")
        outcome: _Outcome
        series = self.metrics.series(asked.model, loaded.version, route)
        batch_rows = asked.table.height
        try:
            is_own = loaded.signature.columns is asked.table.columns and not asked.table.params
            table = asked.table if is_own else _fitted(asked.table, loaded)
            if on_trial:
                found = await self._on_trial(loaded, table)
            elif limit is None:
                found = await loaded.batcher.ask(table)
            else:
                found = await _in_time(loaded.batcher.ask(table), limit)
            seconds, batch_rows = found.seconds, found.batch_rows
            waited_s = max(0.0, time.perf_counter() - start - seconds)
            told = partial(
                answered,
                asked,
                found.predictions,
                received=received,
                version=loaded.version,
                route=route,
                latency_ms=seconds * 1e3,
                recording=self.recording,
            )
            rows = await beside(told, is_long=table.height > MOST_ROWS)
            outcome = _Outcome(found.predictions, rows, waited_s=waited_s)
        except (ModelError, VersionDown, TimeoutError) as error:
            seconds = time.perf_counter() - start
            outcome = self._failed(asked, loaded, route, error, received=received, seconds=seconds)
        except (Overloaded, TooLate) as error:
            series.refused(error.code)
            raise
        if asked.trail is not None and route != "shadow":  # shadows are evaluated when the request is over
            error_kind = None if outcome.error is None else type(outcome.error).__name__
            asked.trail.evaluated(
                start, outcome.waited_s, start + outcome.waited_s + seconds, loaded.version, error_kind
            )
        status = "ok" if outcome.predictions is not None else "error"
        series.evaluated(status, 1, asked.table.height, batch_rows, seconds)
        return outcome

    def _failed(
        self,
        asked: Question,
        loaded: Loaded,
        route: RecordedRoute,
        error: Exception,
        *,
        received: datetime,
        seconds: float,
    ) -> _Outcome:
        log.warning(
            "serve.version_failed",
            extra={
                "model": asked.model,
                "version": loaded.version,
                "route": route,
                "request_id": asked.request_id,
                "error": type(error).__name__,
            },
        )
        rows = failed(
            asked,
            self._recorded_error(error, loaded),
            received=received,
            version=loaded.version,
            route=route,
            latency_ms=seconds * 1e3,
            recording=self.recording,
        )
        return _Outcome(None, rows, error)

    def _recorded_error(self, error: Exception, loaded: Loaded) -> str:
        """Return what the record says of a failure: not the words of a model that reads personal columns, which may quote them."""
        if not isinstance(error, ModelError):
            return f"{type(error).__name__}: {error}"
        reads = loaded.signature
        personal = self.recording.personal(reads.columns) or self.recording.personal_params(reads.params)
        return f"{error.kind}: its words are not kept, as it reads '{personal[0]}'" if personal else str(error)

    async def _on_trial(self, loaded: Loaded, table: Table) -> Evaluated:
        try:
            async with asyncio.timeout(self._trial_timeout_s):
                # nobody waits for its process: another version answers, or nobody asked
                return await loaded.batcher.ask(table, patient=False)
        except TimeoutError:
            loaded.batcher.abort()
            raise TimeoutError(f"no answer after {self._trial_timeout_s:g} s") from None

    def _evaluate_beside(self, serving: _Serving, asked: Question, versions: Sequence[int], received: datetime) -> None:
        for version in versions:
            rows = asked.table.height
            if self._shadow_rows and self._shadow_rows + rows > self._most_shadow_rows:
                self.metrics.shadow_dropped(asked.model)
                continue
            self._shadow_rows += rows
            loaded = serving.loaded[version]
            loaded.asking += 1
            self._spawn(self._shadow(loaded, asked, received))

    async def _shadow(self, loaded: Loaded, asked: Question, received: datetime) -> None:
        try:
            outcome = await self._evaluate(loaded, asked, "shadow", received)
            await self._recorder.write(asked.model, outcome.rows)
        except HomeostatError as error:
            log.warning("serve.shadow_not_recorded", extra={"model": asked.model, "why": error.message})
        finally:
            self._shadow_rows -= asked.table.height
            loaded.asking -= 1

    def _failure(self, asked: Question, version: int, error: Exception | None) -> HomeostatError:
        if isinstance(error, VersionDown):
            return VersionDown(
                f"version {version} of model '{asked.model}' cannot answer now: {error.message}", hint=error.hint
            )
        kind = error.kind if isinstance(error, ModelError) else type(error).__name__
        failure = PredictionFailed(
            f"version {version} of model '{asked.model}' could not answer: {kind}",
            hint=(
                f"the record of request {asked.request_id} has the whole error; "
                if self.recording.takes(asked.request_id)
                else "the request is not among those that are recorded (record.sample); "
            )
            + "`homeostat models rollback` brings the last version back",
        )
        failure.__cause__ = error
        return failure


async def _in_time(future: "asyncio.Future[Evaluated]", limit_s: float) -> Evaluated:
    try:
        async with asyncio.timeout(max(0.0, limit_s)):
            return await future
    except TimeoutError:
        raise TooLate(
            f"no answer within the {limit_s * 1e3:.0f} ms that the request allows",
            hint="give it more time, send fewer rows, or start more workers",
        ) from None


def _fitted(table: Table, loaded: Loaded) -> Table:
    unknown = set(table.params) - {param.name for param in loaded.signature.params}
    if unknown:
        raise ModelError("InvalidRows", f"this version takes no param '{min(unknown)}', which the request has")
    try:
        return table.fitted(loaded.signature.columns)
    except KeyError as error:
        raise ModelError("InvalidRows", f"the request has no column {error}, which this version wants") from error


def _in_common(table: Table, route: Route) -> dict[str, Any]:
    """Return the values that all rows have in the columns by which the route knows its segments."""
    names = {name for segment in route.segments for name in segment.when}
    found: dict[str, Any] = {}
    rows = table.rows()
    for at, column in enumerate(table.columns):
        if column.name in names and all(row[at] == rows[0][at] for row in rows):
            found[column.name] = rows[0][at]
    return found


def _common(keys: Sequence[str | None]) -> str | None:
    """Return the key that all rows have, None where they differ."""
    first = keys[0]
    return first if all(key == first for key in keys) else None
