"""The metric by slices of the rows: declared ones, beside what it was there at training, and ones that are found to be worse than the rest. Pure."""

import math
from collections.abc import Mapping
from itertools import combinations

import msgspec
import numpy as np
import numpy.typing as npt

from homeostat.track.losses import LOSSES, loss_per_row
from homeostat.track.metric import Array
from homeostat.track.metrics import metric as metric_named
from homeostat.track.predictions import Predictions
from homeostat.watch.adjust import benjamini_hochberg
from homeostat.watch.groups import Grouped
from homeostat.watch.performance import value_and_error
from homeostat.watch.sample import Floats

LEAST_ROWS = 50
LEAST_EFFECT = 0.3  # standard deviations of the loss
MOST_FOUND = 3
_PAIRED = 5  # columns whose worst groups are put together in pairs


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The metric of the rows where every column of `when` has that group, with two standard errors either way.

    `was`: of the held-out rows of the same slice, None where they are too few. `is_worse`: than there, beyond chance over all slices and by more
    than is allowed. `effect`: of a found slice, how much more the loss is than in other rows, in standard deviations.
    """

    when: dict[str, str]
    rows: int
    value: float
    low: float
    high: float
    was: float | None = None
    is_worse: bool = False
    effect: float | None = None

    @property
    def name(self) -> str:
        return ", ".join(f"{column}={group}" for column, group in self.when.items())


def declared_slices(
    now: Mapping[str, Grouped],
    y: Array,
    predictions: Predictions,
    *,
    metric: str,
    before: tuple[Mapping[str, Grouped], Array, Predictions] | None = None,
    margin: float | None = None,
    least_rows: int = LEAST_ROWS,
) -> list[Slice]:
    """Return the metric of each group of each column that has `least_rows` labelled rows; arrays of shape (n_rows,), `before` of the held-out rows.

    `margin`: how much worse is decay, None for 5 % of what it was. Worse means by that and by more standard errors than chance crosses in 1 of
    100 windows over all slices together (Bonferroni).
    """
    measured = []
    for column, groups in now.items():
        for name in groups.names:
            rows = groups.rows_of(name)
            if int(rows.sum()) < least_rows:
                continue
            value, error = value_and_error(y[rows], predictions.take(rows), metric=metric)
            if value is None or error is None:
                continue
            was: tuple[float | None, float | None] = (None, None)
            if before is not None and column in before[0]:
                then = before[0][column].rows_of(name)
                if int(then.sum()) >= least_rows:
                    was = value_and_error(before[1][then], before[2].take(then), metric=metric)
            measured.append((column, name, int(rows.sum()), value, error, was))
    limit = _normal_limit(0.01 / max(1, len(measured)))
    sign = -1.0 if metric_named(metric).higher_is_better else 1.0
    found = []
    for column, name, rows_there, value, error, (was_value, was_error) in measured:
        is_worse = False
        if was_value is not None and was_error is not None:
            effect = sign * (value - was_value)
            allowed = 0.05 * abs(was_value) if margin is None else margin
            is_worse = effect > allowed and effect > limit * math.hypot(error, was_error)
        found.append(
            Slice(
                when={column: name},
                rows=rows_there,
                value=value,
                low=value - 2 * error,
                high=value + 2 * error,
                was=was_value,
                is_worse=is_worse,
            )
        )
    return found


def found_slices(
    groups: Mapping[str, Grouped],
    y: Array,
    predictions: Predictions,
    *,
    metric: str,
    least_rows: int = LEAST_ROWS,
    alpha: float = 0.01,
) -> list[Slice]:
    """Return at most three slices of one or two columns whose rows have a loss of 0.3 standard deviations more than other rows, the largest first.

    Y. Chung et al. 2019, "Slice Finder: Automated Data Slicing for Model Validation" (ICDE): one column first, then pairs of the columns with the
    worst groups; a pair inside a slice that is found already is no news. Significance is Welch's, adjusted over all slices that were looked at.
    """
    losses = row_losses(y, predictions, metric)
    if losses is None or len(losses) < 2 * least_rows or not losses.std() > 0:
        return []
    singles = [
        ({column: name}, rows)
        for column, one in groups.items()
        for name in one.names
        if least_rows <= int((rows := one.rows_of(name)).sum()) <= len(losses) - least_rows
    ]
    looked = [(when, rows, *_effect(losses, rows)) for when, rows in singles]
    worst: dict[str, float] = {}
    for when, _, effect, _ in looked:
        column = next(iter(when))
        worst[column] = max(worst.get(column, 0.0), effect)
    columns = sorted(worst, key=lambda column: -worst[column])[:_PAIRED]
    for (a, in_a), (b, in_b) in combinations(
        [(when, rows) for when, rows in singles if next(iter(when)) in columns], 2
    ):
        both = in_a & in_b
        if next(iter(a)) != next(iter(b)) and least_rows <= int(both.sum()) <= len(losses) - least_rows:
            looked.append((a | b, both, *_effect(losses, both)))
    adjusted = benjamini_hochberg([p for *_, p in looked])
    worse = [
        (when, rows, effect)
        for (when, rows, effect, _), p in zip(looked, adjusted, strict=True)
        if p is not None and p < alpha and effect >= LEAST_EFFECT
    ]
    worse.sort(key=lambda one: (len(one[0]), -int(one[1].sum()) * one[2]))
    kept: list[tuple[dict[str, str], npt.NDArray[np.bool_], float]] = []
    for when, rows, effect in worse:
        if not any(other.items() <= when.items() or (seen & rows).sum() > 0.8 * rows.sum() for other, seen, _ in kept):
            kept.append((when, rows, effect))
    found = []
    for when, rows, effect in kept[:MOST_FOUND]:
        value, error = value_and_error(y[rows], predictions.take(rows), metric=metric)
        if value is not None and error is not None:
            found.append(
                Slice(
                    when=when,
                    rows=int(rows.sum()),
                    value=value,
                    low=value - 2 * error,
                    high=value + 2 * error,
                    effect=effect,
                )
            )
    return found


def _effect(losses: Floats, rows: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return how much more the loss is inside, in standard deviations of all, and Welch's one-sided p-value."""
    inside, outside = losses[rows], losses[~rows]
    difference = float(inside.mean() - outside.mean())
    error = math.sqrt(float(inside.var(ddof=1)) / len(inside) + float(outside.var(ddof=1)) / len(outside))
    p_value = 0.5 * math.erfc(difference / error / math.sqrt(2)) if error > 0 else float(difference <= 0)
    return difference / float(losses.std()), p_value


def row_losses(y: Array, predictions: Predictions, metric: str) -> Floats | None:
    """Return each row's loss by the metric, or by accuracy where the metric is no mean of losses of classes."""
    needs_scores = metric in ("log_loss", "brier")
    if metric in LOSSES and (not needs_scores or predictions.scores is not None):
        return loss_per_row(y, predictions, metric)
    return None if y.dtype.kind == "f" else loss_per_row(y, predictions, "accuracy")


def _normal_limit(tail: float) -> float:
    from scipy.special import ndtri

    return float(-ndtri(tail))
