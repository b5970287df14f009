"""How well the answers of a window turned out, how sure that is, and whether it is worse than it was.

What a window is compared with: the champion's own held-out rows, which in a time-ordered split come after its training rows and so
show what it could do at its best on the near future. That value alone would be unfair to a model whose world has weeks and seasons:
one stretch of rows differs from the next by more than independent rows would. So three things temper it. The standard errors are
those of consecutive blocks, not of single rows. The spread between stretches of the held-out rows (`between`) widens the difference
that is called significant. And a loss that rose only as much as that of a constant prediction is not decay: the rows became harder
for any model (the share of a rare class went up), which retraining cannot undo.
"""

import math
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Task
from homeostat.track.losses import LOSSES, loss_per_row
from homeostat.track.metric import Metric
from homeostat.track.metrics import metric as metric_named
from homeostat.track.predictions import Predictions
from homeostat.track.usual import primary
from homeostat.watch.sample import Floats
from homeostat.watch.settings import WatchSettings

Array = npt.NDArray[Any]

GROUPS = 20
_SQUARE_ROOT_OF_MEAN = "rmse"


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """The metric over the labelled rows of a window. `low`, `high`: two standard errors (`error`) either way.

    `constant`: the metric of the best constant prediction in hindsight, for metrics that have one. `no_change` and `accuracy`
    (classification): the shares of rows that repeating the last label, and the model, got right. `maturity`: labelled / rows.
    """

    metric: str
    state: Literal["measured", "not_enough_labels", "no_labels", "not_measurable"]
    rows: int
    labelled: int
    maturity: float
    value: float | None = None
    error: float | None = None
    low: float | None = None
    high: float | None = None
    constant: float | None = None
    no_change: float | None = None
    accuracy: float | None = None


class ReferencePerformance(msgspec.Struct, frozen=True, kw_only=True):
    """The metric on held-out rows: its value, standard error, and the spread `between` stretches beyond that of single rows."""

    metric: str
    value: float
    error: float
    between: float
    rows: int
    constant: float | None = None


class Decay(msgspec.Struct, frozen=True, kw_only=True):
    """`effect`: how much worse than the reference, in units of the metric (negative: better), with two standard errors either way."""

    decayed: bool
    because: str
    effect: float | None = None
    low: float | None = None
    high: float | None = None


def chosen_metric(metric: str | None, *, task: Task, has_scores: bool) -> str:
    """Return the metric to watch: the one that is set, else the task's own, else (no probabilities) accuracy."""
    name = metric or primary(task)
    return name if has_scores or not metric_named(name).needs_scores else "accuracy"


def measure_performance(
    y: Array, predictions: Predictions, *, rows: int, metric: str, task: Task, settings: WatchSettings
) -> Performance:
    """Return the performance of the labelled rows: `y` and `predictions` are theirs, in order of time; `rows` counts all rows.

    Without `settings.min_labels` labels, or below `settings.maturity`, the number is not given at all: labels that come first are
    seldom like those that come last (a fraud is reported sooner than its absence), so windows count at equal maturity only.
    """
    maturity = len(y) / rows if rows else 0.0
    start = Performance(metric=metric, state="no_labels", rows=rows, labelled=len(y), maturity=maturity)
    if not len(y):
        return start
    if len(y) < settings.min_labels or maturity < settings.maturity:
        return msgspec.structs.replace(start, state="not_enough_labels")
    value, error = value_and_error(y, predictions, metric=metric)
    if value is None or error is None:
        return msgspec.structs.replace(start, state="not_measurable")
    is_class = task is not Task.REGRESSION
    return msgspec.structs.replace(
        start,
        state="measured",
        value=value,
        error=error,
        low=value - 2 * error,
        high=value + 2 * error,
        constant=constant_loss(y, metric=metric),
        no_change=float(np.mean(y[1:] == y[:-1])) if is_class and len(y) > 1 else None,
        accuracy=float(np.mean(y == predictions.labels)) if is_class else None,
    )


def reference_performance(y: Array, predictions: Predictions, *, metric: str) -> ReferencePerformance | None:
    """Return the performance on held-out rows in order of time, None where the metric is not defined on them."""
    value, error = value_and_error(y, predictions, metric=metric)
    if value is None or error is None:
        return None
    return ReferencePerformance(
        metric=metric,
        value=value,
        error=error,
        between=spread_between(y, predictions, metric=metric),
        rows=len(y),
        constant=constant_loss(y, metric=metric),
    )


def value_and_error(y: Array, predictions: Predictions, *, metric: str) -> tuple[float | None, float | None]:
    """Return the metric and its standard error; None, None where there is none (one class only, no probabilities, under two rows).

    The error is the larger of that of single rows (metrics that are means) and of the jackknife that leaves out one of 20
    consecutive blocks at a time (P. Kott 2001, "The delete-a-group jackknife", Journal of Official Statistics 17), which sees
    that neighbouring rows are alike.
    """
    if len(y) < 2 or (predictions.scores is None and metric_named(metric).needs_scores):
        return None, None
    compute = _computer(y, predictions, metric)
    value = compute(np.arange(len(y)))
    if not math.isfinite(value):
        return None, None
    blocks = np.array_split(np.arange(len(y)), min(GROUPS, len(y)))
    left = np.array([compute(np.delete(np.arange(len(y)), block)) for block in blocks])
    left = left[np.isfinite(left)]
    if len(left) < 2:
        return None, None
    error = math.sqrt((len(left) - 1) / len(left) * float(np.sum((left - left.mean()) ** 2)))
    return value, max(error, _row_error(y, predictions, metric, value))


def spread_between(y: Array, predictions: Predictions, *, metric: str, groups: int = 10, least_rows: int = 30) -> float:
    """Return the standard deviation of the metric between consecutive stretches, beyond that between random ones; 0 for few rows.

    Random stretches are every 10th row: the variance of the metric over ten such groups is taken off that over ten consecutive
    ones (analysis of variance, one-way random effects).
    """
    groups = min(groups, len(y) // least_rows)
    if groups < 3:
        return 0.0
    compute = _computer(y, predictions, metric)
    rows = np.arange(len(y))
    consecutive = [compute(part) for part in np.array_split(rows, groups)]
    scattered = [compute(rows[start::groups]) for start in range(groups)]
    if not np.isfinite([*consecutive, *scattered]).all():
        return 0.0
    return math.sqrt(max(0.0, float(np.var(consecutive, ddof=1) - np.var(scattered, ddof=1))))


def compare(window: Performance, reference: ReferencePerformance | None, *, settings: WatchSettings) -> Decay:
    """Return whether the window is worse than the reference: by more than `settings.decay`, and by more than two standard errors.

    Without `settings.decay`, more than 5 % of the reference. Two standard errors, one-sided, are crossed by chance in about 2 of
    100 windows that have not changed.
    """
    if reference is None:
        return Decay(decayed=False, because="there is no reference performance to compare with")
    if window.value is None or window.error is None:
        return Decay(decayed=False, because=_immature(window, settings))
    if window.metric != reference.metric:
        return Decay(decayed=False, because=f"the reference is in {reference.metric}, the window in {window.metric}")
    sign = -1.0 if metric_named(window.metric).higher_is_better else 1.0
    effect = sign * (window.value - reference.value)
    error = math.sqrt(window.error**2 + reference.error**2 + reference.between**2)
    low, high = effect - 2 * error, effect + 2 * error
    margin = 0.05 * abs(reference.value) if settings.decay is None else settings.decay
    name, was, now = window.metric, f"{reference.value:.4g}", f"{window.value:.4g}"
    is_worse, is_sure = effect > margin, low > 0
    is_harder = is_worse and is_sure and _harder_for_any(window, reference)
    if is_harder:
        because = f"{name} went from {was} to {now}, no more than that of a constant prediction: these rows are harder for any model"
    elif is_worse and is_sure:
        because = (
            f"{name} went from {was} to {now}, worse by {effect:.3g} (at least {low:.3g}; {margin:.3g} is allowed)"
        )
    elif is_worse:
        because = f"{name} went from {was} to {now}, but {window.labelled} labels cannot tell that from chance"
    else:
        because = f"{name} is {now}, {was} at training: within {margin:.3g}"
    return Decay(decayed=is_worse and is_sure and not is_harder, because=because, effect=effect, low=low, high=high)


def _immature(window: Performance, settings: WatchSettings) -> str:
    if window.state == "no_labels":
        return f"no label of {window.rows} rows is known"
    if window.state == "not_measurable":
        return f"{window.metric} does not exist on these {window.labelled} labels (one class only, no probabilities or no finite value)"
    return (
        f"labels of {window.labelled} of {window.rows} rows are known ({window.maturity:.0%}); "
        f"{settings.maturity:.0%} and {settings.min_labels} are wanted"
    )


def _harder_for_any(window: Performance, reference: ReferencePerformance) -> bool:
    """Return whether the loss, as a share of that of the best constant prediction, is no worse than it was."""
    if window.value is None or not window.constant or not reference.constant:
        return False
    return window.value / window.constant <= reference.value / reference.constant


def constant_loss(y: Array, *, metric: str) -> float | None:
    """Return the metric of the best constant prediction in hindsight, None for metrics that have no such floor.

    >>> import numpy as np
    >>> constant_loss(np.array([0, 0, 1, 1]), metric="brier")
    0.25
    """
    if not len(y):
        return None
    if metric in ("mae", "rmse"):
        numbers = y.astype(np.float64)
        return float(np.mean(np.abs(numbers - np.median(numbers))) if metric == "mae" else numbers.std())
    shares = np.unique_counts(y).counts / len(y) if metric in ("log_loss", "brier") else None
    if shares is None:
        return None
    if metric == "log_loss":
        return float(-np.sum(shares * np.log(shares)))
    return float((1 - np.sum(shares**2)) * (0.5 if len(shares) <= 2 else 1.0))


def _computer(y: Array, predictions: Predictions, metric: str) -> "_Computer":
    is_loss = metric in LOSSES and (predictions.scores is not None or not metric_named(metric).needs_scores)
    losses = loss_per_row(y, predictions, metric) if is_loss else None
    return _Computer(y, predictions, metric_named(metric), losses)


class _Computer:
    """The metric of some rows, from losses per row where it is a mean of them."""

    def __init__(self, y: Array, predictions: Predictions, metric: Metric, losses: Floats | None) -> None:
        self.y, self.predictions, self.metric, self.losses = y, predictions, metric, losses

    def __call__(self, rows: npt.NDArray[np.intp]) -> float:
        if self.losses is None:
            return float(self.metric.compute(self.y[rows], self.predictions.take(rows)))
        mean = float(self.losses[rows].mean()) if len(rows) else math.nan
        if self.metric.name == _SQUARE_ROOT_OF_MEAN:
            return math.sqrt(mean)
        return 1.0 - mean if self.metric.higher_is_better else mean


def _row_error(y: Array, predictions: Predictions, metric: str, value: float) -> float:
    """Return the standard error as if rows were independent, 0 for metrics that are no means."""
    losses = _computer(y, predictions, metric).losses
    if losses is None:
        return 0.0
    error = float(losses.std(ddof=1)) / math.sqrt(len(losses))
    if metric == _SQUARE_ROOT_OF_MEAN:
        return error / (2 * value) if value else 0.0
    return error
