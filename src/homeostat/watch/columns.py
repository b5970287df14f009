"""Reading one column of a window: its distribution, and which of its rows do not belong there."""

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Kind
from homeostat.watch.methods import sample_kind
from homeostat.watch.sample import Categories, ColumnSample, Numbers, numbers

SAMPLE = 2_000
MOST_CATEGORIES = 1_000

Mask = npt.NDArray[np.bool_]


class ColumnProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What the reference keeps of a column, of constant size.

    `sample`: at most 2,000 evenly spaced order statistics of the finite values. `categories`: the 1,000 most frequent, `other`: how many
    rows have another one, `once`: how many values were seen a single time. `spoilt`: rows whose value was not finite.
    """

    kind: Kind
    rows: int
    nulls: int
    spoilt: int = 0
    mean: float = 0.0
    sd: float = 0.0
    sample: list[float] = []
    edges: list[float] = []
    counts: list[int] = []
    categories: dict[str, int] = {}
    other: int = 0
    once: int = 0

    def to_sample(self) -> ColumnSample | None:
        """Return what the methods measure against, None for kinds that are not measured."""
        match sample_kind(self.kind):
            case "number":
                return Numbers(
                    values=np.array(self.sample, dtype=np.float64),
                    edges=np.array(self.edges, dtype=np.float64),
                    counts=np.array(self.counts, dtype=np.float64),
                    mean=self.mean,
                    sd=self.sd,
                    represents=self.rows - self.nulls - self.spoilt,
                )
            case "category":
                return Categories(counts=self.categories, other=self.other)
            case _:
                return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColumnRead:
    """A column as found. Masks are of shape (n_rows,): `null`; `spoilt`: not finite, or not of the kind at all.

    `values` are floats (NaN where there is none) of a numeric column, `words` the text of a categorical one.
    """

    kind: Kind
    null: Mask
    spoilt: Mask
    values: npt.NDArray[np.float64] | None = None
    words: pl.Series | None = None

    def to_sample(self, like: ColumnSample | None) -> ColumnSample | None:
        """Return the sample in the reference's bins; None for kinds that are not measured."""
        if self.values is not None:
            return numbers(self.values, like=like if isinstance(like, Numbers) else None)
        if self.words is not None:
            return Categories(counts=_word_counts(self.words))
        return None


def read_column(series: pl.Series, kind: Kind) -> ColumnRead:
    """Return the column read as its kind, whatever its storage type; what cannot be read so is spoilt, never an error.

    NaN counts as null: tables mean by it that there is no value.
    """
    null = series.is_null().to_numpy()
    match sample_kind(kind):
        case "number":
            as_numbers = _to_float(series)
            unread = as_numbers.is_null().to_numpy() & ~null
            values = as_numbers.fill_null(float("nan")).to_numpy()
            no_value = null | (np.isnan(values) & ~unread)
            return ColumnRead(kind=kind, null=no_value, spoilt=unread | np.isinf(values), values=values)
        case "category":
            return ColumnRead(
                kind=kind, null=null, spoilt=np.zeros(len(series), dtype=np.bool_), words=_to_words(series)
            )
        case _:
            is_other = kind is Kind.DATETIME and series.dtype not in (pl.Datetime, pl.Date, pl.String, pl.Null)
            return ColumnRead(kind=kind, null=null, spoilt=np.full(len(series), is_other) & ~null)


def profile_column(series: pl.Series, kind: Kind) -> ColumnProfile:
    """Return what the reference keeps of a column."""
    read = read_column(series, kind)
    rows, nulls, spoilt = len(series), int(read.null.sum()), int(read.spoilt.sum())
    sample = read.to_sample(None)
    if isinstance(sample, Numbers):
        step = np.linspace(0, len(sample) - 1, min(SAMPLE, len(sample))).round().astype(np.intp)
        return ColumnProfile(
            kind=kind,
            rows=rows,
            nulls=nulls,
            spoilt=spoilt,
            mean=sample.mean,
            sd=sample.sd,
            sample=sample.values[step].tolist(),
            edges=sample.edges.tolist(),
            counts=[int(count) for count in sample.counts],
        )
    if isinstance(sample, Categories):
        ranked = sorted(sample.counts.items(), key=lambda item: (-item[1], item[0]))
        return ColumnProfile(
            kind=kind,
            rows=rows,
            nulls=nulls,
            categories=dict(ranked[:MOST_CATEGORIES]),
            other=sum(count for _, count in ranked[MOST_CATEGORIES:]),
            once=sum(count == 1 for count in sample.counts.values()),
        )
    return ColumnProfile(kind=kind, rows=rows, nulls=nulls, spoilt=spoilt)


def _to_float(series: pl.Series) -> pl.Series:
    if series.dtype.is_numeric() or series.dtype in (pl.Boolean, pl.String, pl.Null):
        return series.cast(pl.Float64, strict=False)
    return pl.Series(series.name, [None] * len(series), dtype=pl.Float64)


def _to_words(series: pl.Series) -> pl.Series:
    if series.dtype.is_nested() or series.dtype == pl.Object:
        return pl.Series(
            series.name, [None if value is None else str(value) for value in series.to_list()], dtype=pl.String
        )
    return series.cast(pl.String, strict=False)


def _word_counts(words: pl.Series) -> dict[str, int]:
    counted = words.drop_nulls().value_counts(name="rows")
    return dict(zip(counted[words.name].to_list(), counted["rows"].to_list(), strict=True))
