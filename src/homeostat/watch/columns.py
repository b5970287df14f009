"""Reading one column of a window: its distribution, and which of its rows do not belong there."""

from dataclasses import dataclass
from typing import assert_never

import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Kind
from homeostat.data.profile import CategoryProfile, ColumnProfile, NumberProfile, TextProfile, TimeProfile
from homeostat.watch.methods import sample_kind
from homeostat.watch.sample import Categories, ColumnSample, Numbers, numbers

Mask = npt.NDArray[np.bool_]


def reference_sample(profile: ColumnProfile) -> ColumnSample | None:
    """Return what the methods measure against, None for kinds that are not measured."""
    match profile:
        case NumberProfile():
            return Numbers(
                values=np.array(profile.sample, dtype=np.float64),
                edges=np.array(profile.edges, dtype=np.float64),
                counts=np.array(profile.counts, dtype=np.float64),
                mean=profile.mean or 0.0,
                sd=profile.sd or 0.0,
            )
        case CategoryProfile():
            return Categories(counts=profile.counts, other=profile.other)
        case TimeProfile() | TextProfile():
            return None
        case _:
            assert_never(profile)


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
