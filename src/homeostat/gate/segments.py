"""The segments of a column: its values, or the quarters of a number or time with many values."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

_FEW_VALUES = 10
_QUARTERS = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """`rows` is a boolean mask of shape (n_rows,)."""

    column: str
    name: str
    rows: npt.NDArray[np.bool_]

    @property
    def size(self) -> int:
        return int(self.rows.sum())


def segments(column: pl.Series) -> Iterator[Segment]:
    """Yield the segments of a column; together they hold each row once. Nulls (and NaN) are a segment of their own."""
    if column.dtype.is_float():
        column = column.fill_nan(None)
    by_quarter = (column.dtype.is_numeric() or column.dtype.is_temporal()) and column.n_unique() > _FEW_VALUES
    yield from _quarters(column) if by_quarter else _values(column)
    if column.null_count():
        yield Segment(column=column.name, name="(null)", rows=column.is_null().to_numpy())


def _values(column: pl.Series) -> Iterator[Segment]:
    places: dict[object, list[int]] = {}
    for row, value in enumerate(column.to_list()):
        if value is not None:
            places.setdefault(value, []).append(row)
    for value in sorted(places, key=str):
        mask = np.zeros(len(column), dtype=bool)
        mask[places[value]] = True
        yield Segment(column=column.name, name=str(value), rows=mask)


def _quarters(column: pl.Series) -> Iterator[Segment]:
    numbers = column.to_physical().cast(pl.Float64).to_numpy()
    known = ~np.isnan(numbers)
    edges = np.unique(np.quantile(numbers[np.isfinite(numbers)], _QUARTERS))
    quarter = np.searchsorted(edges, numbers, side="right")
    for number in range(len(edges) + 1):
        mask = known & (quarter == number)
        if mask.any():
            kept = column.filter(pl.Series(mask))
            yield Segment(column=column.name, name=f"{_short(kept.min())} to {_short(kept.max())}", rows=mask)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
