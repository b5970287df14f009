"""Has anything changed? The newest batches of labelled rows held against the rows before them: features, target and the model's loss.

While nothing changes, rows are exchangeable: whoever shuffles them sees the same. Each test asks a part of that with a p-value which holds
then, and Bonferroni's bound over all of them keeps the chance of a false alarm per look below the level chosen. Several spans are looked
at, as a small change needs many rows to show and a large one should not wait for them. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SPANS = (1, 2, 4, 8)
_FAMILIES = 3  # features, target, loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The strongest sign of a change. `p_value`: corrected for everything looked at. `rows`: how many of the newest rows differ most."""

    p_value: float
    what: str
    rows: int


def strongest(
    columns: Mapping[str, Array],
    target: Array,
    losses: Array,
    *,
    batch: int,
    spans: Sequence[int] = SPANS,
) -> Change:
    """Return the strongest sign that the newest rows differ from those before.

    `columns` and `target` hold the rows that the newest model was trained on, then those that came since, in order; `losses`, of the
    newest model, only the latter. Floats are compared by the Kolmogorov-Smirnov test, other types by Pearson's chi-square test of their
    counts, losses by Welch's one-sided t-test (only a rising loss is a sign). `batch`: the rows of one look. NaN are left out. With fewer
    than one batch of new rows the p-value is 1.

    >>> rng = np.random.default_rng(0)
    >>> x, y = np.r_[rng.normal(size=900), rng.normal(1.0, size=100)], rng.integers(0, 2, 1000)
    >>> found = strongest({"x": x}, y, np.ones(200), batch=100)
    >>> found.what, found.rows, found.p_value < 1e-6
    ('x', 100, True)
    """
    found = Change(p_value=1.0, what="", rows=0)
    for newest in (span * batch for span in spans):
        if newest > len(losses):
            break
        what, least = _least(columns, newest)
        tests = [(what, least * len(columns)), ("target", _least({"target": target}, newest)[1])]
        what, least = min([*tests, ("loss", _rise(losses, newest))], key=lambda test: test[1])
        corrected = min(1.0, least * _FAMILIES * len(spans))
        if corrected < found.p_value:
            found = Change(p_value=corrected, what=what, rows=newest)
    return found


def _least(columns: Mapping[str, Array], newest: int) -> tuple[str, float]:
    """Return the column whose newest values differ most from those before, and the p-value of no difference."""
    from scipy.stats import kstwo

    found = [("", 1.0)]
    furthest: dict[tuple[int, int], tuple[str, float]] = {}
    for name, values in columns.items():
        if values.dtype.kind != "f":
            found.append((name, _counts(values[:-newest], values[-newest:])))
            continue
        sizes, distance = _ks(values[:-newest], values[-newest:])
        if distance > furthest.get(sizes, ("", 0.0))[1]:
            furthest[sizes] = name, distance
    # of samples of the same sizes the two that are furthest apart have the least p-value: one is enough, and they are dear
    for (before, after), (name, distance) in furthest.items():
        found.append((name, float(kstwo.sf(distance, round(before * after / (before + after))))))
    return min(found, key=lambda test: test[1])


def _ks(before: Array, after: Array) -> tuple[tuple[int, int], float]:
    """Return the numbers of values that are no NaN, and the Kolmogorov-Smirnov distance of the two samples.

    Between two neighbours of `after` its distribution is flat and the other only rises: the largest gap is at one of them, or just below.
    """
    before, after = np.sort(before[~np.isnan(before)]), np.sort(after[~np.isnan(after)])
    sizes = len(before), len(after)
    if not all(sizes):
        return sizes, 0.0
    gaps = [
        np.searchsorted(before, after, side) / sizes[0] - np.searchsorted(after, after, side) / sizes[1]
        for side in ("left", "right")
    ]
    return sizes, float(np.abs(gaps).max())


def _counts(before: Array, after: Array) -> float:
    from scipy.stats import chi2_contingency

    if not len(before) or not len(after):
        return 1.0
    known, codes = np.unique(np.concatenate([before, after]), return_inverse=True)
    if len(known) < 2:
        return 1.0
    table = np.stack([np.bincount(part, minlength=len(known)) for part in (codes[: len(before)], codes[len(before) :])])
    return float(chi2_contingency(_pooled(table)).pvalue)


def _pooled(table: Array) -> Array:
    """Return the table with its rare values as one: the test's approximation wants five expected in each cell."""
    least = table.sum(axis=1).min() / table.sum()
    is_rare = table.sum(axis=0) * least < 5
    if not is_rare.any() or is_rare.all():
        return table
    return np.column_stack([table[:, ~is_rare], table[:, is_rare].sum(axis=1)])


def _rise(losses: Array, newest: int) -> float:
    """Return the p-value of no rise; Welch's test needs two values on both sides."""
    from scipy.stats import ttest_ind

    before, after = losses[:-newest], losses[-newest:]
    if len(before) < 2 or len(after) < 2 or (before.std() == 0 and after.std() == 0):
        return 1.0
    return float(ttest_ind(after, before, equal_var=False, alternative="greater").pvalue)
