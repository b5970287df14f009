"""Probabilities made honest, where that was seen to help on later rows.

Two classes: Platt scaling, p' = sigmoid(slope * logit(p) + offset) (Platt 1999, "Probabilistic outputs for support vector machines").
More: temperature scaling, p' = softmax(slope * log p) (Guo et al. 2017, "On calibration of modern neural networks").
The slope is at most 1: calibration makes answers less sure, never surer. Trees on few rows are too sure of themselves; where later rows
seem to allow more certainty, the next change of the world punishes it (on the electricity stream a slope above 1, right on the later
part of the training rows, raised the log loss of what followed by half).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

LEAST_ROWS = 400
# Above this many rows the default trees hardly overfit, and the second fit would cost more than it brings.
MOST_ROWS = 20_000
_LEAST = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """`before` and `after` are the log losses on the rows that decided, NaN where nothing was measured."""

    slope: float = 1.0
    offset: float = 0.0
    before: float = float("nan")
    after: float = float("nan")

    def apply(self, scores: Matrix) -> Matrix:
        """Return the calibrated probabilities, shape (n_rows, n_classes), rows adding up to 1."""
        if self.slope == 1.0 and self.offset == 0.0:
            return scores
        return _apply(scores, self.slope, self.offset)

    @classmethod
    def measured(
        cls,
        train: Callable[[Rows], Any],
        score: Callable[[Any, Rows], Matrix],
        truth: Rows,
        *,
        mode: str,
        order: Rows,
    ) -> Self:
        """Return the calibration that helps, or none.

        A model is trained on the first 70 % of the rows in `order`, calibrated on the next 15 % and measured on the last 15 %. It is
        kept where the mean log loss falls there; then it is fitted again on the last 30 %.
        `mode`: 'auto', 'always' (fitted, not judged) or 'never'.
        """
        rows = len(truth)
        if mode == "never" or rows < LEAST_ROWS or (mode == "auto" and rows > MOST_ROWS):
            return cls()
        first, second, third = np.split(order, [int(rows * 0.7), int(rows * 0.85)])
        if len(np.unique(truth[first])) < 2 or len(np.unique(truth[second])) < 2:
            return cls()
        model = train(np.sort(first))
        middle, last = score(model, second), score(model, third)
        slope, offset = _fitted(middle, truth[second])
        before, after = _losses(last, truth[third]), _losses(_apply(last, slope, offset), truth[third])
        gain = before - after
        if mode == "auto" and gain.mean() <= 0.0:
            return cls(before=float(before.mean()), after=float(after.mean()))
        slope, offset = _fitted(np.concatenate([middle, last]), truth[np.concatenate([second, third])])
        return cls(slope=slope, offset=offset, before=float(before.mean()), after=float(after.mean()))


def _losses(scores: Matrix, truth: Rows) -> Matrix:
    return -np.log(np.clip(scores[np.arange(len(truth)), truth], _LEAST, 1.0))


def _apply(scores: Matrix, slope: float, offset: float) -> Matrix:
    logs = slope * np.log(np.clip(scores, _LEAST, 1.0))
    if scores.shape[1] == 2:
        logs[:, 1] += offset
    logs -= logs.max(axis=1, keepdims=True)
    weights = np.exp(logs)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _fitted(scores: Matrix, truth: Rows) -> tuple[float, float]:
    """Return slope and offset of least log loss (offset 0 with more than two classes), slope in [0.05, 1]."""
    from scipy.optimize import minimize

    binary = scores.shape[1] == 2

    def loss(parameters: Matrix) -> float:
        offset = float(parameters[1]) if binary else 0.0
        return float(_losses(_apply(scores, float(np.exp(parameters[0])), offset), truth).mean())

    found = minimize(
        loss, np.zeros(2 if binary else 1), method="L-BFGS-B", bounds=[(-3.0, 0.0), (-3.0, 3.0)][: 2 if binary else 1]
    )
    return float(np.exp(found.x[0])), float(found.x[1]) if binary else 0.0
