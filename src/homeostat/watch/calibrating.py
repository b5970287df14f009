"""From scores to probabilities that held on labelled rows: isotonic regression for each class, where that was seen to help. Pure."""

from collections.abc import Callable
from typing import Any

import numpy as np

from homeostat.watch.expected import Places
from homeostat.watch.sample import Floats

BINS = 10
FOLDS = 10
Calibrator = Callable[[Floats], Floats]


def calibrator(scores: Floats, truth: Places, *, weights: Floats | None = None) -> Calibrator:
    """Return what turns scores of shape (n_rows, n_classes) into probabilities of the true class.

    `truth` of shape (n_rows,): places of the true classes. `weights`: how much each row counts, for rows that stand for others. Each class
    has an isotonic regression of its own (two classes share one) where ten-fold cross-fitting lowers the calibration error; rows are then
    made to add up to 1.
    """
    classes = scores.shape[1]
    places = [1] if classes == 2 else list(range(classes))
    curves = {place: _curve(scores[:, place], (truth == place).astype(np.float64), weights) for place in places}

    def apply(given: Floats) -> Floats:
        if classes == 2:
            positive = _through(curves[1], given[:, 1])
            return np.stack([1.0 - positive, positive], axis=1)
        raw = np.stack([_through(curves[place], given[:, place]) for place in places], axis=1)
        total = raw.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(raw, total, out=np.full_like(raw, 1.0 / classes), where=total > 0))

    return apply


def calibration_error(
    probability: Floats, is_true: Floats, *, weights: Floats | None = None, bins: int = BINS
) -> float:
    """Return the expected calibration error over bins of equally many rows: the mean distance of what was promised and what came, in [0, 1].

    Both of shape (n_rows,). Naeini, Cooper and Hauskrecht 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning". A
    calibrated model has about sqrt(bins / rows) / 3 by chance.

    >>> calibration_error(np.array([0.5, 0.5, 0.5, 0.5]), np.array([1.0, 0.0, 1.0, 0.0]), bins=1)
    0.0
    """
    if not len(probability):
        return float("nan")
    order = np.argsort(probability, kind="stable")
    gap = probability[order] - is_true[order]
    if weights is not None:
        gap = gap * weights[order] / weights.mean()
    parts = np.array_split(gap, min(bins, max(1, len(gap) // 2)))
    return float(sum(abs(part.sum()) for part in parts) / len(gap))


def error_of(probabilities: Floats, truth: Places) -> float:
    """Return the mean calibration error over classes (two classes: of the second)."""
    places = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    return float(np.mean([calibration_error(probabilities[:, k], (truth == k).astype(np.float64)) for k in places]))


def _curve(score: Floats, is_true: Floats, weights: Floats | None) -> Any:
    """Return the fitted regression, None where scores are better left as they are."""
    if len(np.unique(is_true)) < 2 or len(score) < 2 * FOLDS:
        return None
    fold = np.random.default_rng(0).permutation(len(score)) % FOLDS
    after = np.empty_like(score)
    for number in range(FOLDS):
        out = fold == number
        after[out] = _fitted(score[~out], is_true[~out], None if weights is None else weights[~out]).predict(score[out])
    if calibration_error(after, is_true, weights=weights) >= calibration_error(score, is_true, weights=weights):
        return None
    return _fitted(score, is_true, weights)


def _fitted(score: Floats, is_true: Floats, weights: Floats | None) -> Any:
    from sklearn.isotonic import IsotonicRegression

    return IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0).fit(score, is_true, sample_weight=weights)


def _through(curve: Any, score: Floats) -> Floats:
    return score if curve is None else np.asarray(curve.predict(score), dtype=np.float64)
