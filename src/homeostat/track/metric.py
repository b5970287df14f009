"""What a metric is, and how classes become numbers for it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Task
from homeostat.track.predictions import Predictions

Array = npt.NDArray[Any]
CLASSIFICATION = (Task.BINARY, Task.MULTICLASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number that says how good predictions are.

    `compute(y, predictions)` takes the true values of shape (n_rows,) and returns NaN where the metric is not defined: no rows, or
    (ROC AUC) one class only. `needs_scores`: it is computed from probabilities and does not exist without them.
    """

    name: str
    tasks: tuple[Task, ...]
    higher_is_better: bool
    needs_scores: bool
    compute: Callable[[Array, Predictions], float]


def class_indices(values: Array | Iterable[Any], classes: Iterable[Any]) -> npt.NDArray[np.intp]:
    """Return the position of each value in `classes`, -1 for values that are none of them.

    >>> class_indices(["b", "a", "z"], ["a", "b"]).tolist()
    [1, 0, -1]
    """
    positions = {label: position for position, label in enumerate(classes)}
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    return np.fromiter((positions.get(value, -1) for value in listed), dtype=np.intp)


def numbers(values: Array) -> npt.NDArray[np.float64]:
    """Return the values as floats; null becomes NaN."""
    return np.asarray(values, dtype=np.float64)


def codes(y: Array, labels: Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], int]:
    """Return true and predicted classes as numbers from 0, and how many classes there are in both together."""
    known = dict.fromkeys([*y.tolist(), *labels.tolist()])
    return class_indices(y, known), class_indices(labels, known), len(known)


def mean(values: npt.NDArray[np.float64]) -> float:
    """Return the mean, NaN (without a warning) where there are no rows."""
    return float(values.mean()) if len(values) else float("nan")
