"""The data plane: answers rows by the routed versions in memory, and records what it answered before it does."""

import time
from collections.abc import Iterable

from homeostat.core.columns import Signature
from homeostat.core.errors import HomeostatError, NotFound
from homeostat.core.ports.clock import Clock
from homeostat.core.records.routes import Route
from homeostat.serve.answer import Answer, Question
from homeostat.serve.errands import Errands
from homeostat.serve.evaluations import Evaluations
from homeostat.serve.generation import Generation, Served
from homeostat.serve.lane import Lane
from homeostat.serve.loaded import Loaded
from homeostat.serve.metrics import ServeMetrics
from homeostat.serve.recent import Recent
from homeostat.serve.recorder import Recorder, Writes
from homeostat.serve.recording import EVERYTHING, Recording
from homeostat.serve.shadows import Shadows
from homeostat.serve.switchboard import Load, Switchboard
from homeostat.serve.table import Table
from homeostat.serve.tracing import Tracing


class Plane:
    """Answers for any number of models, on one event loop, in which it must be made and asked.

    `load(model, version)` returns what evaluates a version. `time_column`, `key_column` and `optional` are columns that rows may have beside
    the features; `key_column` makes a canary sticky. A canary or shadow has `trial_timeout_s` for a batch: after that a canary's request is
    answered by the champion. `timeout_s`: of any batch. `warm_timeout_s`: of all that a version is warmed up with. `queue`: requests that may
    wait for one version. `recording`: what of answers goes into the record. `tracing`: None: nothing is traced.
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
        self._clock = clock
        self._recorder = Recorder(record)
        self._recent = Recent()
        self._errands = Errands()
        self.switchboard = Switchboard(
            load,
            rows={"time": time_column, "key": key_column, "optional": tuple(optional), "max_rows": max_rows},
            recent=self._recent,
            errands=self._errands,
            queue=queue,
            timeout_s=timeout_s,
            warm_timeout_s=warm_timeout_s,
        )
        self.metrics.waiting = lambda: self.switchboard.waiting
        self._evaluations = Evaluations(metrics=self.metrics, recording=recording, trial_timeout_s=trial_timeout_s)
        self._shadows = Shadows(
            evaluations=self._evaluations,
            recorder=self._recorder,
            errands=self._errands,
            metrics=self.metrics,
            most_rows=max_shadow_rows,
        )

    # -- what is served

    @property
    def routes(self) -> dict[str, Route]:
        return {name: self.switchboard.of(name).route for name in self.switchboard.models}

    def route(self, model: str) -> Route:
        return self.switchboard.of(model).route

    def served(self, model: str, version: int | None = None) -> Served:
        """Return the version that answers (None: the champion); NotFound for a model or version that is not served, Conflict without champion."""
        return self.switchboard.of(model).served(version)

    def signature(self, model: str) -> Signature:
        """Return what the model's champion takes; raise NotFound for an unknown model, Conflict where there is no champion."""
        return self.switchboard.of(model).champion.signature

    def lane(self, model: str) -> Lane | None:
        """Return what the short way needs, see `Switchboard.lane`."""
        return self.switchboard.lane(model)

    # -- requests

    async def answer(self, asked: Question) -> Answer:
        """Return predictions for the rows, recorded before this returns.

        Raises PredictionFailed where the champion fails and VersionDown where its process is away (both recorded), Overloaded, TooLate and
        NotFound for probabilities that a version does not give (not recorded), Unreachable where the answer cannot be recorded.
        """
        generation = self.switchboard.of(asked.model)
        # a version that answers for another one, or shadows it, is asked late: a switch meanwhile must not close it
        held = list(generation.loaded.values()) if len(generation.loaded) > 1 else ()
        for each in held:
            each.asking += 1
        try:
            return await (self._answer if self.tracing is None else self._traced)(generation, asked)
        finally:
            for each in held:
                each.asking -= 1

    async def _traced(self, generation: Generation, asked: Question) -> Answer:
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
            return await self._answer(generation, asked)
        asked.trail, asked.trace = trail, trail.trace_id
        try:
            return await self._answer(generation, asked)
        except HomeostatError as error:
            trail.error = error.code
            raise
        finally:
            trail.end = time.perf_counter()
            self.tracing.tell(trail)

    async def _answer(self, generation: Generation, asked: Question) -> Answer:
        received = self._clock.now()
        chosen = generation.choose(asked)
        answering, role, shadows = chosen.answering, chosen.role, chosen.shadows
        start = time.perf_counter()
        outcome = await self._evaluations.ask(answering, asked, role, received)
        written = outcome.rows
        if outcome.predictions is None and role == "canary":
            answering = chosen.champion
            role = "champion"
            shadows = tuple(version for version in shadows if version != answering.version)
            left = None if asked.timeout_s is None else asked.timeout_s - (time.perf_counter() - start)
            outcome = await self._evaluations.ask(answering, asked, role, received, left=left)
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
            self._shadows.ask([generation.loaded[version] for version in shadows], asked, received)
        if outcome.predictions is None:
            raise self._evaluations.told(asked, answering.version, outcome.error)
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
        outcome = self._evaluations.failed(loaded, asked, error, self._clock.now(), seconds=seconds)
        if outcome.rows:
            await self._recorder.write(asked.model, outcome.rows)
        return self._evaluations.told(asked, loaded.version, error)

    def remember(self, model: str, table: Table) -> None:
        """Keep now and then some rows that were answered, to warm up the next version with."""
        self._recent.remember(model, table)

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Wait for the evaluations beside the answers; return whether they are done."""
        return await self._errands.done(timeout_s)

    async def close(self, timeout_s: float | None = None) -> bool:
        """Finish what waits beside the answers, and let every version go; return whether all of it was done."""
        done = await self.flush(timeout_s)
        for model in self.switchboard.models:
            self.switchboard.forget(model)
        return await self.flush(timeout_s) and done
