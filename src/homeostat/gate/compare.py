"""A metric with its interval, and the difference of a metric between two models on the same rows.

Everything is told as a loss, lower is better: the metric itself where lower is better, 1 - metric where higher is (accuracy, ROC AUC, R²).
"""

import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Task
from homeostat.gate import stats
from homeostat.gate.stats import Array, Floats, Interval
from homeostat.track import metrics
from homeostat.track.losses import LOSSES, loss_per_row
from homeostat.track.predictions import Predictions
from homeostat.track.usual import primary

_ROOTED = {"rmse": np.sqrt}


def usable_metric(name: str | None, task: Task, *models: Predictions) -> str:
    """Return the metric, or the task's own for None; accuracy where it needs probabilities that one of the models does not give."""
    wanted = metrics.metric(name or primary(task))
    if wanted.needs_scores and any(model.scores is None for model in models):
        return "accuracy"
    return wanted.name


def as_loss(metric: str, value: float) -> float:
    """Return a metric's value as a loss, and a loss as the metric's value: the two are each other's inverse."""
    return 1.0 - value if metrics.metric(metric).higher_is_better else value


def loss(y: Array, predictions: Predictions, metric: str) -> float:
    return as_loss(metric, metrics.metric(metric).compute(y, predictions))


def loss_interval(
    y: Array,
    predictions: Predictions,
    metric: str,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> Interval:
    """Return the loss of one model with its interval. NaN where the metric does not exist on these rows."""
    if metric in LOSSES:
        return mean_loss_interval(
            loss_per_row(y, predictions, metric), metric, rng=rng, confidence=confidence, resamples=resamples
        )
    return stats.statistic_interval(
        lambda rows: loss(y[rows], predictions.take(rows), metric),
        len(y),
        rng=rng,
        confidence=confidence,
        resamples=min(resamples, 500),
        block=_block(_plain_losses(y, predictions)),
    )


def mean_loss_interval(
    losses: Floats, metric: str, *, rng: np.random.Generator, confidence: float = 0.95, resamples: int = 1000
) -> Interval:
    """Return the interval of a loss that is a mean over rows (or its root), from the losses of the rows."""
    return stats.difference_interval(
        losses,
        None,
        rng=rng,
        confidence=confidence,
        resamples=resamples,
        block=_block(losses),
        transform=_ROOTED.get(metric),
    )


def difference(
    y: Array,
    candidate: Predictions,
    other: Predictions,
    metric: str,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> Interval:
    """Return loss(candidate) - loss(other) on the same rows with its paired interval: above 0, the candidate is worse."""
    if metric in LOSSES:
        first, second = loss_per_row(y, candidate, metric), loss_per_row(y, other, metric)
        return stats.difference_interval(
            first,
            second,
            rng=rng,
            confidence=confidence,
            resamples=resamples,
            block=_block(first - second),
            transform=_ROOTED.get(metric),
        )

    def of_rows(rows: npt.NDArray[np.intp]) -> float:
        return loss(y[rows], candidate.take(rows), metric) - loss(y[rows], other.take(rows), metric)

    return stats.statistic_interval(
        of_rows,
        len(y),
        rng=rng,
        confidence=confidence,
        resamples=min(resamples, 500),
        block=_block(_plain_losses(y, candidate) - _plain_losses(y, other)),
    )


def _plain_losses(y: Array, predictions: Predictions) -> Floats:
    """Losses that every model of the task has, for the length of the blocks."""
    return loss_per_row(y, predictions, "mae" if not predictions.classes else "accuracy")


def _block(losses: Floats) -> int:
    return stats.block_length(losses) if len(losses) and np.isfinite(losses).all() else 1
