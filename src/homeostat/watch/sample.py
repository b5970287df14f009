"""One column of one window, reduced to what the drift methods need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from homeostat.data.profile import bin_counts, inner_edges

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Numbers:
    """A numeric column. `values` are finite and sorted, of the reference a sample.

    `edges` (n_bins - 1,) are the inner bin edges, the reference's own for both sides; `counts` (n_bins,) are over all rows. A value that
    equals an edge falls in the bin below it.
    """

    values: Floats
    edges: Floats
    counts: Floats
    mean: float
    sd: float

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


def numbers(values: Sequence[float] | npt.NDArray[Any], *, like: Numbers | None = None) -> Numbers:
    """Return the sample of some numbers. NaN is left out; infinities count in the outer bins only.

    `like` gives the bins (those of the reference). Without it, they hold about equally many of the values themselves.

    >>> numbers([3.0, 1.0, 2.0, float("nan")]).values.tolist()
    [1.0, 2.0, 3.0]
    """
    array = np.asarray(values, dtype=np.float64)
    array = array[~np.isnan(array)]
    finite = np.sort(array[np.isfinite(array)])
    edges = like.edges if like is not None else inner_edges(finite)
    mean, sd = mean_and_sd(finite)
    return Numbers(values=finite, edges=edges, counts=bin_counts(array, edges).astype(np.float64), mean=mean, sd=sd)


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
