"""What the values of each column are like, in a size that does not grow with the rows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Kind

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
BINS = 20
SAMPLE = 2_000
TOP = 1_000

Floats = npt.NDArray[np.float64]


class NumberProfile(msgspec.Struct, frozen=True, kw_only=True, tag="number"):
    """Moments and quantiles are of finite values (None where there are none); `sd` is of the population.

    `edges` are the inner edges of the bins, growing, at most 19: bin i holds values above edges[i-1] up to edges[i], so that
    len(counts) == len(edges) + 1, and infinite values are in the outer bins. `sample` holds at most 2,000 finite values, sorted and
    evenly spaced in rank, the least and the greatest included.
    """

    kind: Kind
    count: int
    nulls: int
    nans: int
    infinite: int
    mean: float | None
    sd: float | None
    min: float | None
    max: float | None
    quantiles: dict[str, float]
    edges: list[float]
    counts: list[int]
    sample: list[float]


class CategoryProfile(msgspec.Struct, frozen=True, kw_only=True, tag="category"):
    """`counts` are of the 1,000 most frequent values as text (those of the profile that this one is `like` first); `other`: the rest."""

    kind: Kind
    count: int
    nulls: int
    distinct: int
    counts: dict[str, int]
    other: int


class TimeProfile(msgspec.Struct, frozen=True, kw_only=True, tag="time"):
    kind: Kind
    count: int
    nulls: int
    min: datetime | None
    max: datetime | None


class TextProfile(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """Lengths are in characters."""

    kind: Kind
    count: int
    nulls: int
    distinct: int
    min_length: int
    mean_length: float
    max_length: int


ColumnProfile = NumberProfile | CategoryProfile | TimeProfile | TextProfile


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Every column that has a kind. `count` of a column counts all rows, missing values too."""

    rows: int
    columns: dict[str, ColumnProfile]

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = msgspec.to_builtins(self)
        return out

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Profile":
        return msgspec.convert(value, cls)


def profile(frame: pl.DataFrame, kinds: Mapping[str, Kind], *, like: Profile | None = None) -> Profile:
    """Return the profile of a conformed frame. With `like`, bins and categories are those of that profile, so that counts compare."""
    known = {} if like is None else like.columns
    columns = {
        name: _column(frame[name], kind, known.get(name)) for name, kind in kinds.items() if name in frame.columns
    }
    return Profile(rows=frame.height, columns=columns)


def _column(column: pl.Series, kind: Kind, like: ColumnProfile | None) -> ColumnProfile:
    match kind:
        case Kind.INTEGER | Kind.FLOAT:
            return _numbers(column, kind, like if isinstance(like, NumberProfile) else None)
        case Kind.CATEGORY | Kind.BOOLEAN:
            return _categories(column, kind, like if isinstance(like, CategoryProfile) else None)
        case Kind.DATETIME:
            first, last = column.min(), column.max()
            return TimeProfile(
                kind=kind,
                count=len(column),
                nulls=column.null_count(),
                min=first if isinstance(first, datetime) else None,
                max=last if isinstance(last, datetime) else None,
            )
        case Kind.TEXT:
            return _texts(column, kind)


def _numbers(column: pl.Series, kind: Kind, like: NumberProfile | None) -> NumberProfile:
    present = column.drop_nulls().cast(pl.Float64).to_numpy()
    values = present[~np.isnan(present)]
    finite = np.sort(values[np.isfinite(values)])
    edges = inner_edges(finite) if like is None else np.asarray(like.edges, dtype=np.float64)
    mean, sd = _moments(finite)
    ranks = np.unique(np.linspace(0, len(finite) - 1, min(SAMPLE, len(finite))).round().astype(int))
    return NumberProfile(
        kind=kind,
        count=len(column),
        nulls=column.null_count(),
        nans=len(present) - len(values),
        infinite=len(values) - len(finite),
        mean=mean,
        sd=sd,
        min=float(finite[0]) if len(finite) else None,
        max=float(finite[-1]) if len(finite) else None,
        quantiles=_quantiles(finite),
        edges=edges.tolist(),
        counts=bin_counts(values, edges).tolist(),
        sample=finite[ranks].tolist() if len(finite) else [],
    )


def inner_edges(ordered: Floats) -> Floats:
    """Return the inner edges of 20 bins that hold about equally many of the sorted finite values; fewer where values repeat."""
    if not len(ordered):
        return np.empty(0)
    ranks = (np.arange(1, BINS) * len(ordered)) // BINS
    edges = np.unique(ordered[np.maximum(ranks - 1, 0)])
    kept: Floats = edges[edges < ordered[-1]]
    return kept


def bin_counts(values: Floats, edges: Floats) -> npt.NDArray[np.int64]:
    """Return how many values are in each bin: above the edge before it, up to its own edge; of shape (len(edges) + 1,)."""
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)


def _quantiles(ordered: Floats) -> dict[str, float]:
    """Return values that occur (no interpolation, which could overflow)."""
    if not len(ordered):
        return {}
    return {f"{q:g}": float(ordered[round(q * (len(ordered) - 1))]) for q in QUANTILES}


def _moments(finite: Floats) -> tuple[float | None, float | None]:
    """Return mean and standard deviation, scaled on the way so that squares of large values do not overflow."""
    if not len(finite):
        return None, None
    scale = float(np.abs(finite[[0, -1]]).max()) or 1.0
    if scale < 1e-300:
        scale = 1.0
    scaled = finite / scale
    return float(scaled.mean() * scale), float(min(scaled.std(), 1.0) * scale)


def _categories(column: pl.Series, kind: Kind, like: CategoryProfile | None) -> CategoryProfile:
    texts = column.cast(pl.String)
    present = texts.drop_nulls()
    counted = present.value_counts().sort("count", present.name, descending=[True, False])
    counts = dict(zip(counted[present.name].to_list(), counted["count"].to_list(), strict=True))
    if like is None:
        top = dict(list(counts.items())[:TOP])
    else:
        top = {name: counts.get(name, 0) for name in like.counts}
        new = [name for name in counts if name not in top][: TOP - len(top)]
        top |= {name: counts[name] for name in new}
    return CategoryProfile(
        kind=kind,
        count=len(column),
        nulls=column.null_count(),
        distinct=len(counts),
        counts=top,
        other=len(present) - sum(top.values()),
    )


def _texts(column: pl.Series, kind: Kind) -> TextProfile:
    lengths = column.cast(pl.String).str.len_chars().drop_nulls().to_numpy()
    return TextProfile(
        kind=kind,
        count=len(column),
        nulls=column.null_count(),
        distinct=column.drop_nulls().n_unique(),
        min_length=int(lengths.min()) if len(lengths) else 0,
        mean_length=float(lengths.mean()) if len(lengths) else 0.0,
        max_length=int(lengths.max()) if len(lengths) else 0,
    )
