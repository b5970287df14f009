"""Rows on their way into a model: the same columns, order and types at training and at serving, whatever the batch holds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Column, Kind, Task
from homeostat.core.errors import InvalidRows, near
from homeostat.data.cast import DTYPES

if TYPE_CHECKING:
    import pandas as pd


def conform(frame: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """Return the columns, in that order, each in the one type of its kind; others are left out.

    Naive times count as UTC, whole floats as integers, numbers in a category as their digits. Raises InvalidRows, which names every
    column that is missing or cannot be converted without loss.
    """
    fields: list[dict[str, object]] = []
    series = []
    present = set(frame.columns)
    for column in columns:
        if column.name not in present:
            hint = near(column.name, frame.columns)
            fields.append({"field": column.name, "problem": "missing" + (f"; {hint}" if hint else "")})
            continue
        try:
            series.append(_cast(frame[column.name], column.kind))
        except (pl.exceptions.PolarsError, ValueError) as error:
            fields.append({"field": column.name, "problem": f"not {column.kind.value}: {str(error).splitlines()[0]}"})
    if fields:
        told = "; ".join(f"'{field['field']}' is {field['problem']}" for field in fields[:5])
        more = f"; and {len(fields) - 5} more" if len(fields) > 5 else ""
        raise InvalidRows(
            f"the rows do not fit the model: {told}{more}", hint="give the columns of its signature", fields=fields
        )
    return pl.DataFrame(series)


def _cast(values: pl.Series, kind: Kind) -> pl.Series:
    if values.dtype.is_float() and kind is not Kind.FLOAT:
        values = _whole(values, kind)
    if kind is Kind.DATETIME:
        return _times(values)
    return values.cast(DTYPES[kind])


def _whole(values: pl.Series, kind: Kind) -> pl.Series:
    """Return floats as integers where all of them are whole; categories that are not stay as they are."""
    known = values.fill_nan(None)
    broken = known.filter(known.is_not_null() & ((known != known.floor()) | known.is_infinite()))
    if not len(broken):
        return known.cast(pl.Int64)
    if kind is Kind.INTEGER:
        raise ValueError(f"{broken[0]} is not a whole number")
    return known


def _times(values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        return values.str.to_datetime(time_unit="us", time_zone="UTC")
    if values.dtype.is_numeric():
        if values.null_count() == len(values):
            return pl.Series(values.name, [None] * len(values), dtype=DTYPES[Kind.DATETIME])
        raise ValueError(f"{values.drop_nulls()[0]} is a number, not a time")
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None:
        return values.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    return values.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def to_pandas(frame: pl.DataFrame, columns: Sequence[Column]) -> "pd.DataFrame":
    """Return the features as a model gets them. Types follow from the signature alone, never from what a batch happens to hold.

    Integers are int64, or float64 where the column is nullable; floats float64; booleans bool, or float64 (1, 0, NaN) where nullable;
    categories and text are objects (str, NaN where null); times are datetime64[us], naive, UTC.
    """
    import pandas as pd

    fitting = conform(frame, columns)
    data = {column.name: _values(fitting[column.name], column) for column in columns}
    return pd.DataFrame(
        {name: pd.Series(values, dtype=values.dtype) for name, values in data.items()}, columns=list(data)
    )


def _values(series: pl.Series, column: Column) -> npt.NDArray[Any]:
    match column.kind:
        case Kind.INTEGER | Kind.BOOLEAN if column.nullable or series.null_count():
            return series.cast(pl.Float64).to_numpy()
        case Kind.CATEGORY | Kind.TEXT:
            values = series.to_numpy().astype(object)
            if series.null_count():
                values[series.is_null().to_numpy()] = np.nan
            return values
        case Kind.DATETIME:
            return series.dt.replace_time_zone(None).to_numpy()
        case _:
            return series.to_numpy()


def target(series: pl.Series, task: Task) -> npt.NDArray[Any]:
    """Return the true values, shape (n_rows,): floats for regression, else classes as they are."""
    if task is Task.REGRESSION:
        return series.cast(pl.Float64).to_numpy()
    return np.asarray(
        [value if isinstance(value, bool | int | float | str | None) else str(value) for value in series.to_list()]
    )
