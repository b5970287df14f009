"""Metrics of classes that nobody has labelled yet, expected from the probabilities of the true classes. Pure.

Where a row's true class is k with probability p_k, a metric that counts rows has an expectation that needs no label: each row counts with
its probability (J. Bialek et al. 2024, "Estimating Model Performance Under Covariate Shift Without Labels", section on CBPE). With
probabilities that are 0 and 1 these are the metrics themselves. They are right where the probabilities are calibrated.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homeostat.track.losses import LEAST_PROBABILITY
from homeostat.watch.sample import Floats

Places = npt.NDArray[np.intp]
DRAWS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class PerClass:
    """Precision, recall and F1 of each class, shape (n_classes,); 0 where a class is neither there nor predicted."""

    precision: Floats
    recall: Floats
    f1: Floats
    is_there: npt.NDArray[np.bool_]


def expected_confusion(probabilities: Floats, said: Places) -> Floats:
    """Return how many rows of each true class (rows of the matrix) are expected among each predicted class (columns).

    `probabilities` of shape (n_rows, n_classes), rows adding up to 1; `said` of shape (n_rows,), places of the predicted classes.

    >>> expected_confusion(np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 1])).round(1).tolist()
    [[0.9, 0.4], [0.1, 0.6]]
    """
    classes = probabilities.shape[1]
    columns = [probabilities[said == place].sum(axis=0) for place in range(classes)]
    return np.stack(columns, axis=1)


def per_class(confusion: Floats) -> PerClass:
    """Return precision, recall and F1 of each class from a matrix of counts (true, predicted)."""
    hits, true, told = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return PerClass(
        precision=_share(hits, told),
        recall=_share(hits, true),
        f1=_share(2 * hits, true + told),
        is_there=(true + told) > 0,
    )


def expected_roc_auc(positive: Floats, score: Floats) -> float:
    """Return the expected area under the ROC curve of rows with these probabilities of being positive, ordered by score; NaN for one class.

    Both of shape (n_rows,). Rows of one score are one step of the curve, so that ties count half.
    """
    order = np.argsort(-score, kind="stable")
    ends = (
        np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1) if len(order) else np.empty(0, dtype=np.intp)
    )
    hits = np.append(0.0, np.cumsum(positive[order])[ends])
    misses = np.append(0.0, np.cumsum(1.0 - positive[order])[ends])
    if not len(order) or hits[-1] <= 0 or misses[-1] <= 0:
        return float("nan")
    return float(np.sum(np.diff(misses) * (hits[1:] + hits[:-1]) / 2) / (hits[-1] * misses[-1]))


def expected(metric: str, probabilities: Floats, said: Places, scores: Floats) -> float:
    """Return the expected value of a metric, NaN where it is not defined; KeyError for one that has no expectation here.

    `probabilities`: calibrated, of the true class; `said`: what the model answered; `scores`: its own probabilities, which order and
    weigh the answers. `f1`, `precision` and `recall` are means over the classes that are there.
    """
    return _METRICS[metric](probabilities, said, scores)


def spread(metric: str, probabilities: Floats, said: Places, scores: Floats, *, seed: int = 0) -> float:
    """Return the standard deviation of the metric that labels drawn from the probabilities have around its expectation.

    This is how far the realised metric of these rows strays by chance alone; that the probabilities are wrong is not in it.
    """
    if metric in _LOSSES:
        losses = _LOSSES[metric](said, scores)
        variance = (probabilities * losses**2).sum(axis=1) - (probabilities * losses).sum(axis=1) ** 2
        return float(np.sqrt(np.maximum(variance, 0.0).sum()) / max(1, len(said)))
    rng = np.random.default_rng(seed)
    steps = probabilities.cumsum(axis=1)
    drawn = []
    for _ in range(DRAWS):
        place = np.minimum((rng.random((len(said), 1)) > steps).sum(axis=1), probabilities.shape[1] - 1)
        drawn.append(expected(metric, np.eye(probabilities.shape[1])[place], said, scores))
    return float(np.nanstd(drawn)) if np.isfinite(drawn).any() else float("nan")


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def _accuracy(probabilities: Floats, said: Places, scores: Floats) -> float:
    return 1.0 - _mean_loss("accuracy", probabilities, said, scores)


def _balanced_accuracy(probabilities: Floats, said: Places, scores: Floats) -> float:
    del scores
    confusion = expected_confusion(probabilities, said)
    there = confusion.sum(axis=1) > 0
    return float(per_class(confusion).recall[there].mean()) if there.any() else float("nan")


def _of_classes(name: str) -> "Expectation":
    def compute(probabilities: Floats, said: Places, scores: Floats) -> float:
        del scores
        found = per_class(expected_confusion(probabilities, said))
        return float(getattr(found, name)[found.is_there].mean()) if found.is_there.any() else float("nan")

    return compute


def _roc_auc(probabilities: Floats, said: Places, scores: Floats) -> float:
    del said
    if probabilities.shape[1] == 2:
        return expected_roc_auc(probabilities[:, 1], scores[:, 1])
    areas = [expected_roc_auc(probabilities[:, place], scores[:, place]) for place in range(probabilities.shape[1])]
    known = [area for area in areas if np.isfinite(area)]
    return float(np.mean(known)) if known else float("nan")


def _mean_loss(metric: str, probabilities: Floats, said: Places, scores: Floats) -> float:
    if not len(said):
        return float("nan")
    return float((probabilities * _LOSSES[metric](said, scores)).sum(axis=1).mean())


def _of_losses(metric: str) -> "Expectation":
    return lambda probabilities, said, scores: _mean_loss(metric, probabilities, said, scores)


def _errors(said: Places, scores: Floats) -> Floats:
    """Each row's loss, were each class the true one: shape (n_rows, n_classes)."""
    return 1.0 - np.eye(scores.shape[1])[said]


def _log_losses(said: Places, scores: Floats) -> Floats:
    del said
    return np.asarray(-np.log(np.clip(scores, LEAST_PROBABILITY, 1.0)))


def _brier_losses(said: Places, scores: Floats) -> Floats:
    del said
    total = (scores**2).sum(axis=1, keepdims=True) - 2.0 * scores + 1.0
    return np.asarray(total / 2.0 if scores.shape[1] == 2 else total)


Expectation = Callable[[Floats, Places, Floats], float]
_LOSSES: dict[str, Callable[[Places, Floats], Floats]] = {
    "accuracy": _errors,
    "log_loss": _log_losses,
    "brier": _brier_losses,
}
_METRICS: dict[str, Expectation] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _of_classes("f1"),
    "precision": _of_classes("precision"),
    "recall": _of_classes("recall"),
    "roc_auc": _roc_auc,
    "log_loss": _of_losses("log_loss"),
    "brier": _of_losses("brier"),
}
EXPECTED = frozenset(_METRICS)
