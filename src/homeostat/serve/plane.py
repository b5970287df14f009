"""The data plane: holds the routed versions in memory, answers rows, and records what it answered before it does."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import numpy as np
import polars as pl

from homeostat.core.columns import Kind, Signature
from homeostat.core.errors import Conflict, HomeostatError, NotFound, near
from homeostat.core.ports import Clock
from homeostat.core.records import Json, Route
from homeostat.serve.beside import Background, within
from homeostat.serve.metrics import ServeMetrics
from homeostat.serve.record import Asked, RecordedRoute, answered, failed, schema_of
from homeostat.serve.router import choose
from homeostat.serve.validate import Validator
from homeostat.track.predictions import Predictions
from homeostat.train.package import Package, predict

log = logging.getLogger(__name__)
_WARM_TIMEOUT_S = 30.0


class PredictionFailed(HomeostatError):
    """The champion could not answer; the record says why."""

    code = "prediction_failed"


class Writes(Protocol):
    """The one thing that serving needs of the record."""

    def write(self, kind: str, rows: Sequence[Json]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What the client gets: whose predictions, in the order of the rows."""

    request_id: str
    model: str
    version: int
    predictions: Predictions


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    """A version in memory. User models are not asked twice at once: few of them promise to be thread-safe."""

    version: int
    package: Package
    turn: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True, eq=False)
class _Serving:
    """One generation of a model's route with all that it needs; replaced whole, never changed."""

    route: Route
    loaded: Mapping[int, _Loaded]
    validator: Validator | None

    @property
    def champion(self) -> _Loaded:
        if self.route.champion is None:
            raise Conflict(
                f"model '{self.route.model}' has no champion yet",
                hint="promote a version: `homeostat models promote`, or let a cycle finish",
            )
        return self.loaded[self.route.champion]


@dataclass(frozen=True, slots=True, eq=False)
class _Outcome:
    """What a version said to a request, or why it could not; and the rows that say so in the record."""

    predictions: Predictions | None
    rows: list[Json]
    error: BaseException | None = None


class Plane:
    """Answers for any number of models. Thread-safe; a switch of versions is one swap of a reference, so no request sees half of it.

    `load(model, version)` returns a package; `predict_with` asks it (tests give their own). `time_column`, `key_column` and `optional`
    are columns that rows may have beside the features; `key_column` makes a canary sticky. A canary or shadow has `trial_timeout_s` for a
    batch: after that a canary's request is answered by the champion.
    """

    def __init__(
        self,
        load: Callable[[str, int], Package],
        record: Writes,
        clock: Clock,
        *,
        time_column: str | None = None,
        key_column: str | None = None,
        optional: Iterable[str] = (),
        max_rows: int = 10_000,
        max_shadow_rows: int = 50_000,
        trial_timeout_s: float = 5.0,
        predict_with: Callable[[Package, pl.DataFrame], Predictions] = predict,
        metrics: ServeMetrics | None = None,
    ) -> None:
        self.metrics = metrics or ServeMetrics()
        self._load = load
        self._record = record
        self._clock = clock
        self._rows = {"time": time_column, "key": key_column, "optional": tuple(optional), "max_rows": max_rows}
        self._trial_timeout_s = trial_timeout_s
        self._predict = predict_with
        self._shadows = Background(most=max_shadow_rows)
        self._serving: dict[str, _Serving] = {}
        self._switching = threading.Lock()

    # -- routes

    def switch(self, route: Route) -> None:
        """Load and warm what the route needs, then serve by it; versions that it does not name are let go.

        A route of an older generation than the one served is left alone. If a version cannot be loaded, its error is raised and
        everything stays as it was.
        """
        with self._switching:
            now = self._serving.get(route.model)
            if now is not None and route.generation < now.route.generation:
                return
            held = {} if now is None else now.loaded
            loaded = {v: held[v] if v in held else self._loaded(route.model, v) for v in route.versions}
            validator = None
            if route.champion is not None:
                same = now is not None and now.route.champion == route.champion
                validator = now.validator if same and now is not None else self._validator(loaded[route.champion])
            self._serving = {**self._serving, route.model: _Serving(route, loaded, validator)}

    def forget(self, model: str) -> None:
        """Serve a model no longer."""
        with self._switching:
            self._serving = {name: serving for name, serving in self._serving.items() if name != model}

    @property
    def routes(self) -> dict[str, Route]:
        return {name: serving.route for name, serving in sorted(self._serving.items())}

    @property
    def generations(self) -> dict[str, int]:
        """Return what this process has switched to, for the workers' table."""
        return {name: route.generation for name, route in self.routes.items()}

    def signature(self, model: str) -> Signature:
        """Return what the model's champion takes; raise NotFound for an unknown model, Conflict where there is no champion."""
        return self._of(model).champion.package.signature

    def route(self, model: str) -> Route:
        return self._of(model).route

    # -- requests

    def answer(self, model: str, rows: Sequence[Any], *, request_id: str, key: str | None = None) -> Answer:
        """Return predictions for the rows, recorded durably before this returns.

        `key` makes the choice of a canary sticky; without it, the rows' own key where all have the same, else the request id. Raises
        InvalidRows (nothing is recorded), PredictionFailed where the champion fails (recorded), Unreachable where it cannot be recorded.
        """
        serving = self._of(model)
        champion = serving.champion
        assert serving.validator is not None
        read = serving.validator.read(rows)
        asked = Asked(
            model=model,
            request_id=request_id,
            received=self._clock.now(),
            features=read.frame,
            keys=read.keys if key is None else [own if own is not None else key for own in read.keys],
            times=read.times,
        )
        choice = choose(serving.route, request_id=request_id, key=key if key is not None else _common(read.keys))
        answering, shadows = serving.loaded[choice.answering], choice.shadows
        outcome = self._evaluate(answering, asked, choice.role)
        written = outcome.rows
        if outcome.predictions is None and choice.role == "canary":
            answering = champion
            shadows = tuple(version for version in shadows if version != champion.version)
            outcome = self._evaluate(champion, asked, "champion")
            written = written + outcome.rows
        self._record.write("predictions", written)
        self._evaluate_beside(serving, asked, shadows)
        if outcome.predictions is None:
            raise PredictionFailed(
                f"version {answering.version} of model '{model}' could not answer: {type(outcome.error).__name__}",
                hint=f"the record of request {request_id} has the whole error; `homeostat models rollback` brings the last version back",
            ) from outcome.error
        return Answer(request_id=request_id, model=model, version=answering.version, predictions=outcome.predictions)

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait for the evaluations beside the answers; return whether they are done."""
        return self._shadows.flush(timeout_s)

    def close(self, timeout_s: float | None = None) -> bool:
        """Stop evaluating beside the answers, after what waits already."""
        return self._shadows.close(timeout_s)

    # -- inside

    def _of(self, model: str) -> _Serving:
        serving = self._serving.get(model)
        if serving is None:
            raise NotFound(f"no model '{model}' is served here", hint=near(model, self._serving))
        return serving

    def _loaded(self, model: str, version: int) -> _Loaded:
        start = time.perf_counter()
        loaded = _Loaded(version, self._load(model, version))
        try:
            within(_WARM_TIMEOUT_S, lambda: self._predict(loaded.package, _blank(loaded.package.signature)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - border: a made-up row may be refused by a model that is sound
            log.info("serve.warm_up_refused", extra={"model": model, "version": version, "error": type(error).__name__})
        took = time.perf_counter() - start
        log.info("serve.version_loaded", extra={"model": model, "version": version, "seconds": round(took, 3)})
        return loaded

    def _validator(self, champion: _Loaded) -> Validator:
        return Validator(champion.package.signature, **self._rows)  # type: ignore[arg-type]

    def _evaluate(self, loaded: _Loaded, asked: Asked, route: RecordedRoute) -> _Outcome:
        """Ask a version. Whatever its code raises becomes an outcome."""
        start = time.perf_counter()
        outcome: _Outcome
        try:
            if route == "champion":
                predictions, seconds = self._ask(loaded, asked.features)
            else:
                predictions, seconds = within(self._trial_timeout_s, lambda: self._ask(loaded, asked.features))
            latency_ms = seconds * 1000.0
            rows = answered(asked, predictions, version=loaded.version, route=route, latency_ms=latency_ms)
            outcome = _Outcome(predictions, rows)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - border: a model's code raises what it likes
            seconds = time.perf_counter() - start
            told = f"{type(error).__name__}: {error}"
            rows = failed(asked, told, version=loaded.version, route=route, latency_ms=seconds * 1000.0)
            outcome = _Outcome(None, rows, error)
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
        self.metrics.evaluated(
            asked.model,
            loaded.version,
            route,
            status="ok" if outcome.predictions is not None else "error",
            rows=asked.features.height,
            seconds=seconds,
        )
        return outcome

    def _ask(self, loaded: _Loaded, features: pl.DataFrame) -> tuple[Predictions, float]:
        """Return sound predictions and the seconds spent in the model, waiting for its turn not counted."""
        if not loaded.turn.acquire(timeout=self._trial_timeout_s * 12.0):
            raise TimeoutError("the model is still busy with an earlier request")
        try:
            start = time.perf_counter()
            predictions = self._predict(loaded.package, features)
            seconds = time.perf_counter() - start
        finally:
            loaded.turn.release()
        _refuse_unsound(predictions, features.height)
        return predictions, seconds

    def _evaluate_beside(self, serving: _Serving, asked: Asked, versions: Iterable[int]) -> None:
        for version in versions:
            loaded = serving.loaded[version]
            task = partial(self._shadow, loaded, asked)
            if not self._shadows.submit(task, weight=asked.features.height):
                self.metrics.shadows_dropped.labels(asked.model).inc()

    def _shadow(self, loaded: _Loaded, asked: Asked) -> None:
        self._record.write("predictions", self._evaluate(loaded, asked, "shadow").rows)


def _common(keys: Sequence[str | None]) -> str | None:
    """Return the key that all rows have, None where they differ."""
    return keys[0] if len(set(keys)) == 1 else None


def _refuse_unsound(predictions: Predictions, rows: int) -> None:
    """An answer that is no answer is a failure like any other."""
    if len(predictions) != rows:
        raise ValueError(f"{len(predictions)} predictions for {rows} rows")
    labels = predictions.labels
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("a prediction is not a finite number")
    if predictions.scores is not None and not np.isfinite(predictions.scores).all():
        raise ValueError("a probability is not a finite number")


_BLANKS: dict[Kind, Any] = {
    Kind.INTEGER: 0,
    Kind.FLOAT: 0.0,
    Kind.BOOLEAN: False,
    Kind.CATEGORY: "",
    Kind.TEXT: "",
    Kind.DATETIME: datetime.fromisoformat("2000-01-01T00:00:00+00:00"),
}


def _blank(signature: Signature) -> pl.DataFrame:
    """Return one made-up row, to make a model do its first-time work before a client waits for it."""
    values = {c.name: [None if c.nullable else _BLANKS[c.kind]] for c in signature.columns}
    return pl.DataFrame(values, schema=schema_of(signature)) if values else pl.DataFrame(height=1)
