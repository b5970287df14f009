"""One column of one window, reduced to what the drift methods need."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from homeostat.data.profile import inner_edges

Floats: TypeAlias = npt.NDArray[np.float64]
_BLOCK = 65_536  # values at a time, so that what is computed on the way stays in the processor's cache


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
    return sorted_numbers(np.sort(np.asarray(values, dtype=np.float64)), like=like)


def sorted_numbers(ordered: Floats, *, like: Numbers | None = None) -> Numbers:
    """Return the sample of numbers that are sorted already, NaN last; see `numbers`."""
    ordered = ordered[: np.searchsorted(ordered, np.nan)]
    below = int(np.searchsorted(ordered, -np.inf, side="right"))
    finite = ordered[below : np.searchsorted(ordered, np.inf)]
    edges = like.edges if like is not None else inner_edges(finite)
    ends = np.searchsorted(ordered, edges, side="right")  # a place among sorted values is a count
    counts = np.diff(ends, prepend=0, append=len(ordered)).astype(np.float64)
    mean, sd = mean_and_sd(finite)
    return Numbers(values=finite, edges=edges, counts=counts, mean=mean, sd=sd)


def mean_and_sd(ordered: Floats) -> tuple[float, float]:
    """Return mean and population standard deviation of sorted finite values, without overflow for huge ones; (0, 0) for no values."""
    if not len(ordered):
        return 0.0, 0.0
    if ordered[0] == ordered[-1]:
        return float(ordered[0]), 0.0
    largest = max(abs(float(ordered[0])), abs(float(ordered[-1])))
    scale = 1.0 if 1e-150 < largest < 1e150 else largest
    scaled = ordered if scale == 1.0 else ordered / scale
    mean = float(scaled.mean())
    squares = 0.0
    for start in range(0, len(scaled), _BLOCK):
        away = scaled[start : start + _BLOCK] - mean
        squares += float(np.einsum("i,i", away, away))
    sd = math.sqrt(squares / len(scaled))
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
