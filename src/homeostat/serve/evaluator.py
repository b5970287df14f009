"""What asks one version of a model: in this process where it is compiled, in a process of its own otherwise, in a thread in tests."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from math import isfinite
from typing import Protocol, runtime_checkable

import numpy as np

from homeostat.core.columns import Signature
from homeostat.serve.answer import VersionDown
from homeostat.serve.table import Table
from homeostat.track.predictions import Predictions
from homeostat.train.answers import ask
from homeostat.train.package import Package


class ModelError(Exception):
    """What a model's code raised, in words. Not for users: it becomes the record's `error` and a PredictionFailed."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __str__(self) -> str:
        return f"{self.kind}: {super().__str__()}"


class Evaluator(Protocol):
    """One version, ready to be asked. `kind` is `compiled`, `process` or `thread`, for people."""

    kind: str

    @property
    def signature(self) -> Signature: ...

    async def evaluate(self, table: Table) -> Predictions:
        """Return one answer for each row. Raises ModelError where the model's code failed, VersionDown where there is nobody to ask.

        Not called twice at once.
        """

    @property
    def is_given_up(self) -> bool:
        """Whether it has ended again and again, and did not answer since."""

    @property
    def is_half_open(self) -> bool:
        """Whether it was given up and is to be tried with one request."""

    def down(self) -> VersionDown | None:
        """Return why it cannot be asked now, None where it can."""

    def refused(self, table: Table) -> ModelError | None:
        """Return why a request is not asked at all, None where it may be."""

    async def until_up(self, limit_s: float) -> None:
        """Return when it can be asked, when it was given up, or after so many seconds."""

    def abort(self) -> None:
        """Give up the evaluation under way, which takes too long."""

    async def close(self) -> None: ...


@runtime_checkable
class Quick(Protocol):
    """One that answers small tables in microseconds, without waiting: a compiled model."""

    kind: str

    @property
    def signature(self) -> Signature: ...

    def answer(self, table: Table) -> Predictions: ...


class ThreadEvaluator:
    """A package in this process, asked in a thread: for tests and probes. Code that hangs cannot be stopped there."""

    kind = "thread"
    is_given_up = False
    is_half_open = False

    def down(self) -> None:
        """It is always there."""

    def refused(self, table: Table) -> None:
        """Nothing is."""

    async def until_up(self, limit_s: float) -> None:
        """Return at once."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="model")

    @property
    def signature(self) -> Signature:
        return self.package.signature

    async def evaluate(self, table: Table) -> Predictions:
        found = await asyncio.get_running_loop().run_in_executor(self._pool, self._asked, table)
        if isinstance(found, ModelError):
            raise found
        return found

    def _asked(self, table: Table) -> Predictions | ModelError:
        """Return the outcome, whatever it is: a SystemExit must not travel through the event loop."""
        return outcome_of(self.package, table)

    def abort(self) -> None:
        """Leave the thread to itself; what comes next has another."""
        self._pool.shutdown(wait=False)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="model")

    async def close(self) -> None:
        self._pool.shutdown(wait=False)


def outcome_of(package: Package, table: Table, *, as_matrix: bool = False) -> Predictions | ModelError:
    """Return what a package answers, or what its code raised. `as_matrix`: the model takes an array (`train.shortcuts.takes_matrix`)."""
    try:
        features = table.matrix() if as_matrix else table.pandas()
        model = package.model.with_params(table.params) if table.params else package.model
        predictions = ask(model, features, package.signature)
        refuse_unsound(predictions, table.height)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - border: a model's code raises what it likes
        return ModelError(type(error).__name__, str(error))
    return predictions


def refuse_unsound(predictions: Predictions, rows: int) -> None:
    """Raise ValueError for an answer that is no answer: a failure like any other."""
    if len(predictions) != rows:
        raise ValueError(f"{len(predictions)} predictions for {rows} rows")
    labels = predictions.labels
    # a sum is finite where all are, or beyond the range of floats: then a closer look tells
    with np.errstate(over="ignore"):
        if labels.dtype.kind == "f" and not isfinite(labels.sum()) and not np.isfinite(labels).all():
            raise ValueError("a prediction is not a finite number")
        if predictions.scores is not None and not isfinite(predictions.scores.sum()):
            raise ValueError("a probability is not a finite number")
