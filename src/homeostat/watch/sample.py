"""One column of one window, reduced to what the drift methods need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Numbers:
    """A numeric column. `values` are finite and sorted, a sample of all where `represents` (its count of rows) is larger.

    `edges` (n_bins - 1,) are the inner bin edges, the reference's own for both sides; `counts` (n_bins,) are over all rows.
    A value that equals an edge falls in the bin above it.
    """

    values: Floats
    edges: Floats
    counts: Floats
    mean: float
    sd: float
    represents: int

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Categories:
    """A column of categories: how often each was seen. `other` counts values beyond those that `counts` names."""

    counts: Mapping[str, int]
    other: int = 0
    total: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", sum(self.counts.values()) + self.other)

    def __len__(self) -> int:
        return self.total


ColumnSample: TypeAlias = Numbers | Categories


def numbers(values: Sequence[float] | npt.NDArray[Any], *, like: Numbers | None = None, bins: int = 20) -> Numbers:
    """Return the sample of some numbers; NaN and infinities are left out.

    `like` gives the bins (those of the reference). Without it, edges are the distinct quantiles of the values themselves.

    >>> numbers([3.0, 1.0, 2.0, float("nan")]).values.tolist()
    [1.0, 2.0, 3.0]
    """
    array = np.asarray(values, dtype=np.float64)
    array = np.sort(array[np.isfinite(array)])
    edges = like.edges if like is not None else quantile_edges(array, bins=bins)
    mean, sd = mean_and_sd(array)
    return Numbers(values=array, edges=edges, counts=bin_counts(array, edges), mean=mean, sd=sd, represents=len(array))


def mean_and_sd(values: Floats) -> tuple[float, float]:
    """Return mean and population standard deviation, without overflow for huge values; (0, 0) for no values."""
    if not len(values):
        return 0.0, 0.0
    scale = float(np.max(np.abs(values))) or 1.0
    scaled = values / scale
    mean = float(scaled.mean())
    sd = 0.0 if values[0] == values[-1] and np.all(values == values[0]) else float(scaled.std())
    biggest = np.finfo(np.float64).max
    return float(np.clip(mean * scale, -biggest, biggest)), min(sd * scale, biggest)


def quantile_edges(values: Floats, *, bins: int = 20) -> Floats:
    """Return the distinct inner quantiles of sorted values: at most `bins` - 1, none for a constant column."""
    if not len(values):
        return np.empty(0)
    edges = np.unique(values[np.minimum((np.arange(1, bins) * len(values)) // bins, len(values) - 1)])
    inner: Floats = edges[edges > values[0]]
    return inner


def bin_counts(values: Floats, edges: Floats) -> Floats:
    """Return how many of the sorted `values` fall in each of len(edges) + 1 bins, closed on the left."""
    cuts = np.searchsorted(values, edges, side="left")
    return np.diff(np.concatenate([[0], cuts, [len(values)]])).astype(np.float64)


def aligned_counts(reference: ColumnSample, current: ColumnSample) -> tuple[Floats, Floats]:
    """Return two histograms over the same bins or categories; what one side has not seen counts 0 there.

    A category that the reference folded into its `other` cannot be told from one it never saw, so both sides fold alike.
    """
    if isinstance(reference, Numbers) and isinstance(current, Numbers):
        return reference.counts, current.counts
    if not (isinstance(reference, Categories) and isinstance(current, Categories)):
        raise TypeError("a numeric column is compared with a numeric one, categories with categories")
    names = sorted(reference.counts if reference.other else reference.counts.keys() | current.counts.keys())
    if current.other:
        names = [name for name in names if name in current.counts]
    ours = [reference.counts.get(name, 0) for name in names]
    theirs = [current.counts.get(name, 0) for name in names]
    left, right = [*ours, len(reference) - sum(ours)], [*theirs, len(current) - sum(theirs)]
    return np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
