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
        tests = [(name, _difference(values, newest) * len(columns)) for name, values in columns.items()]
        tests += [("target", _difference(target, newest)), ("loss", _rise(losses, newest))]
        what, least = min(tests, key=lambda test: test[1])
        corrected = min(1.0, least * _FAMILIES * len(spans))
        if corrected < found.p_value:
            found = Change(p_value=corrected, what=what, rows=newest)
    return found


def _difference(values: Array, newest: int) -> float:
    """Return the p-value of no difference between the newest values and those before."""
    before, after = values[:-newest], values[-newest:]
    return _ks(before, after) if values.dtype.kind == "f" else _counts(before, after)


def _ks(before: Array, after: Array) -> float:
    from scipy.stats import ks_2samp

    before, after = before[~np.isnan(before)], after[~np.isnan(after)]
    if not len(before) or not len(after):
        return 1.0
    return float(ks_2samp(before, after, method="asymp").pvalue)


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
