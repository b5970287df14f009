"""How much the answers of a model follow each of its columns: what drift of a column is weighed by. An association, not a cause."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Kind

BINS = 10
LEAST_ROWS = 50


def importance(frame: pl.DataFrame, kinds: Mapping[str, Kind], answers: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return, for each column, the share of the answers' variance between groups of its values (the correlation ratio), the greatest as 1.

    Numbers and times are cut at ten quantiles, text by its length. `answers` of shape (n_rows,): numbers, or scores. Few rows, or answers that
    are all alike: nothing is known, and nothing is returned. K. Pearson (1905), "On the general theory of skew correlation and non-linear regression".

    >>> frame = pl.DataFrame({"a": list(range(100)), "b": [0, 1] * 50})
    >>> found = importance(frame, {"a": Kind.INTEGER, "b": Kind.INTEGER}, np.arange(100.0))
    >>> found["a"], found["b"] < 0.01
    (1.0, True)
    """
    total = float(np.var(answers)) if len(answers) >= LEAST_ROWS else 0.0
    if not total or not np.isfinite(total):
        return {}
    shares = {name: _between(_groups(frame[name], kind), answers) / total for name, kind in kinds.items()}
    greatest = max(shares.values(), default=0.0)
    return {name: round(share / greatest, 4) for name, share in shares.items()} if greatest > 0 else {}


def _groups(values: pl.Series, kind: Kind) -> npt.NDArray[np.int64]:
    """Return a group for each row; nulls are one."""
    if kind is Kind.TEXT:
        values = values.str.len_chars()
    if kind is Kind.DATETIME:
        values = values.dt.epoch("us")
    if kind in (Kind.CATEGORY, Kind.BOOLEAN):
        codes: npt.NDArray[np.int64] = values.cast(pl.String).fill_null("").rank("dense").cast(pl.Int64).to_numpy()
        return codes
    numbers = values.cast(pl.Float64).to_numpy()
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return np.zeros(len(numbers), dtype=np.int64)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.where(np.isfinite(numbers), np.searchsorted(edges, numbers, side="right") + 1, 0).astype(np.int64)


def _between(groups: npt.NDArray[np.int64], answers: npt.NDArray[np.float64]) -> float:
    """Return the variance of the group means, weighted by rows, less what groups of so many rows would have by chance."""
    _, codes = np.unique(groups, return_inverse=True)
    counts = np.bincount(codes)
    means = np.bincount(codes, weights=answers) / counts
    between = float(np.sum(counts * (means - answers.mean()) ** 2) / len(answers))
    by_chance = float(np.var(answers)) * (len(counts) - 1) / len(answers)
    return max(0.0, between - by_chance)
