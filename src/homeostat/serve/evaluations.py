"""Asking one version: what it said to a request or why it could not, as the rows that say so in the record."""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import msgspec

from homeostat.core.errors import HomeostatError
from homeostat.serve.answer import Overloaded, PredictionFailed, Question, TooLate, VersionDown
from homeostat.serve.batcher import Evaluated
from homeostat.serve.beside import MOST_ROWS, beside
from homeostat.serve.evaluator import ModelError
from homeostat.serve.loaded import Loaded
from homeostat.serve.metrics import ServeMetrics
from homeostat.serve.record import Recorded, RecordedRoute, answered, failed
from homeostat.serve.recording import Recording
from homeostat.serve.table import Table
from homeostat.track.predictions import Predictions

log = logging.getLogger(__name__)


class Outcome(msgspec.Struct, eq=False):
    """What a version said to a request, or why it could not; and the rows that say so in the record."""

    predictions: Predictions | None
    rows: Sequence[Recorded]
    error: Exception | None = None
    waited_s: float = 0.0


class Evaluations:
    """Asks versions and counts what they say. A canary or shadow has `trial_timeout_s` for a batch. `recording`: what goes into the record."""

    def __init__(self, *, metrics: ServeMetrics, recording: Recording, trial_timeout_s: float) -> None:
        self._metrics = metrics
        self._recording = recording
        self._trial_timeout_s = trial_timeout_s

    async def ask(
        self,
        loaded: Loaded,
        asked: Question,
        route: RecordedRoute,
        received: datetime,
        *,
        left: float | None = None,
    ) -> Outcome:
        """Ask a version. Whatever its code raises becomes an outcome; Overloaded and TooLate are raised."""
        start = time.perf_counter()
        limit = asked.timeout_s if left is None else left
        on_trial = route in ("canary", "shadow")
        outcome: Outcome
        series = self._metrics.series(asked.model, loaded.version, route)
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
                recording=self._recording,
            )
            rows = await beside(told, is_long=table.height > MOST_ROWS)
            outcome = Outcome(found.predictions, rows, waited_s=waited_s)
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

    def failed(
        self, loaded: Loaded, asked: Question, error: Exception, received: datetime, *, seconds: float
    ) -> Outcome:
        """Return the outcome of rows that a champion was asked elsewhere, and could not answer."""
        outcome = self._failed(asked, loaded, "champion", error, received=received, seconds=seconds)
        rows = asked.table.height
        self._metrics.series(asked.model, loaded.version, "champion").evaluated("error", 1, rows, rows, seconds)
        return outcome

    def told(self, asked: Question, version: int, error: Exception | None) -> HomeostatError:
        """Return what the client is told of a failure: what kind it is, and where the whole of it stands."""
        failure = self._words(asked, version, error)
        failure.model, failure.version = asked.model, version
        failure.__cause__ = error
        return failure

    def _words(self, asked: Question, version: int, error: Exception | None) -> PredictionFailed | VersionDown:
        if isinstance(error, VersionDown):
            return VersionDown(
                f"version {version} of model '{asked.model}' cannot answer now: {error.message}",
                hint=error.hint,
                retry_after_s=error.retry_after_s,
            )
        kind = error.kind if isinstance(error, ModelError) else type(error).__name__
        return PredictionFailed(
            f"version {version} of model '{asked.model}' could not answer: {kind}",
            hint=(
                f"the record of request {asked.request_id} has the whole error; "
                if self._recording.takes(asked.request_id)
                else "the request is not among those that are recorded (record.sample); "
            )
            + "`homeostat models rollback` brings the last version back",
        )

    def _failed(
        self,
        asked: Question,
        loaded: Loaded,
        route: RecordedRoute,
        error: Exception,
        *,
        received: datetime,
        seconds: float,
    ) -> Outcome:
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
            recording=self._recording,
        )
        return Outcome(None, rows, error)

    def _recorded_error(self, error: Exception, loaded: Loaded) -> str:
        """Return what the record says of a failure: not the words of a model that reads personal columns, which may quote them."""
        if not isinstance(error, ModelError):
            return f"{type(error).__name__}: {error}"
        reads = loaded.signature
        personal = self._recording.personal(reads.columns) or self._recording.personal_params(reads.params)
        return f"{error.kind}: its words are not kept, as it reads '{personal[0]}'" if personal else str(error)

    async def _on_trial(self, loaded: Loaded, table: Table) -> Evaluated:
        try:
            async with asyncio.timeout(self._trial_timeout_s):
                # nobody waits for its process: another version answers, or nobody asked
                return await loaded.batcher.ask(table, patient=False)
        except TimeoutError:
            loaded.batcher.abort()
            raise TimeoutError(f"no answer after {self._trial_timeout_s:g} s") from None


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
