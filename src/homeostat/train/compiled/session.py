"""Answers from a compiled model. Imports numpy and, when it loads one, onnxruntime; nothing that trains models."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Signature, Task
from homeostat.track.predictions import Predictions
from homeostat.train.calibration import Calibration
from homeostat.train.compiled.plan import FOLDER, MODEL, PLAN, Encoded, Plan

Floats = npt.NDArray[np.float64]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_NAN = float("nan")


class RowsOf(Protocol):
    """Rows as `serve.table.Table` has them: a matrix where all columns are numbers, tuples of Python values anyway."""

    @property
    def height(self) -> int: ...
    def matrix(self) -> Floats: ...
    def rows(self) -> list[tuple[Any, ...]]: ...


class CompiledModel:
    """A model that answers small tables in microseconds. May be asked from several threads."""

    kind = "compiled"

    def __init__(self, content: bytes, plan: Plan, signature: Signature) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # workers share the cores, not batches
        options.log_severity_level = 3
        self.signature = signature
        self.plan = plan
        self._run = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]).run
        self._dtype = np.float64 if plan.dtype == "double" else np.float32
        self._outputs = [plan.output]
        self._base = np.array(plan.base)
        self._classes = _labels(signature)
        self._calibration = Calibration(slope=plan.slope, offset=plan.offset)
        self._columns = None if plan.encode is None else [_column(each) for each in plan.encode]

    def answer(self, table: RowsOf) -> Predictions:
        """Return the answers to the rows."""
        if not table.height:
            return self._nothing()
        said = self._run(self._outputs, {self.plan.input: self._inputs(table)})[0]
        raw = np.asarray(said, dtype=np.float64).reshape(table.height, -1)
        if len(self._base):
            raw = raw + self._base
        if self.signature.task is Task.REGRESSION:
            return Predictions(labels=np.exp(raw[:, 0]) if self.plan.link == "exp" else raw[:, 0])
        scores = self._scores(raw)
        if len(self.signature.classes) == 2 and self.plan.tie == "positive":
            best = (scores[:, 1] >= 0.5).astype(np.intp)
        else:
            best = scores.argmax(axis=1)
        return Predictions(labels=self._classes[best], scores=scores, classes=self.signature.classes)

    def _nothing(self) -> Predictions:
        if self.signature.task is Task.REGRESSION:
            return Predictions(labels=np.empty(0))
        scores = np.empty((0, len(self.signature.classes)))
        return Predictions(labels=self._classes[:0], scores=scores, classes=self.signature.classes)

    def _inputs(self, table: RowsOf) -> npt.NDArray[Any]:
        if self._columns is None:
            return np.ascontiguousarray(table.matrix(), dtype=self._dtype)
        listed = list(zip(*table.rows(), strict=True))
        made = np.empty((table.height, len(self._columns)), dtype=self._dtype)
        for at, (source, convert) in enumerate(self._columns):
            made[:, at] = [convert(value) for value in listed[source]]
        return made

    def _scores(self, raw: Floats) -> Floats:
        if self.plan.link == "sigmoid":
            positive = 1.0 / (1.0 + np.exp(-raw[:, 0]))
            found = np.column_stack([1.0 - positive, positive])
        elif self.plan.link == "softmax":
            powers = np.exp(raw - raw.max(axis=1, keepdims=True))
            found = powers / powers.sum(axis=1, keepdims=True)
        else:
            found = raw
        if self.plan.places != list(range(len(self.signature.classes))):
            scores = np.zeros((len(raw), len(self.signature.classes)))
            scores[:, self.plan.places] = found
            found = scores
        return self._calibration.apply(found)


def load(folder: Path, signature: Signature) -> CompiledModel | None:
    """Return the compiled model in a package; None where there is none, or no onnxruntime to run it."""
    place = folder / FOLDER
    if not (place / MODEL).exists():
        return None
    try:
        import onnxruntime  # noqa: F401 - asked for early: without it the original answers
    except ModuleNotFoundError:
        return None
    plan = msgspec.json.decode((place / PLAN).read_bytes(), type=Plan)
    return CompiledModel((place / MODEL).read_bytes(), plan, signature)


def _labels(signature: Signature) -> npt.NDArray[Any]:
    kinds = {type(label) for label in signature.classes}
    return np.asarray(signature.classes, dtype=None if len(kinds) == 1 else object)


def _column(encoded: Encoded) -> tuple[int, Callable[[Any], float]]:
    """Return the source of an input column, and what makes its values."""
    simple: dict[str, Callable[[Any], float]] = {
        "number": _number,
        "finite": _finite,
        "length": lambda value: _NAN if value is None else float(len(value)),
        "hour": lambda value: _NAN if value is None else float(value.hour),
        "weekday": lambda value: _NAN if value is None else float(value.weekday()),
        "month": lambda value: _NAN if value is None else float(value.month),
        "days": lambda value: _NAN if value is None else (value - _EPOCH) / _DAY,
    }
    if encoded.how == "code":
        codes = {name: _NAN if code is None else code for name, code in encoded.codes.items()}
        other = _NAN if encoded.other is None else encoded.other
        return encoded.source, lambda value: _NAN if value is None else codes.get(value, other)
    if encoded.how == "lookup":
        places = {value: float(at) for at, value in enumerate(encoded.values)}
        return encoded.source, lambda value: _NAN if value is None else places.get(float(value), _NAN)
    return encoded.source, simple[encoded.how]


def _number(value: Any) -> float:
    return _NAN if value is None else float(value)


def _finite(value: Any) -> float:
    number = _number(value)
    return _NAN if number in (float("inf"), float("-inf")) else number
