"""What each column is: inferred from its values, and the task from those of the target."""

import re
from collections.abc import Mapping

import polars as pl

from homeostat.core.columns import Kind, Task
from homeostat.core.errors import InvalidInput, near
from homeostat.data.cast import MISSING, cast, conform
from homeostat.data.dates import formats_of

__all__ = ["conform", "infer_key", "infer_kinds", "infer_task", "infer_time"]

_FEW = 50  # so many distinct texts are categories, however few the rows
_MANY = 1_000  # more than these, and most of them met once, are free text
_LONG = 60  # characters, on average: free text
_CLASSES = 20  # an integer target with at most so many values names classes
_TIME_NAMES = re.compile(
    r"(^|_)(time|timestamp|datetime|date|created|created_at|ts|event_time|hour)($|_)", re.IGNORECASE
)
_KEY_NAMES = re.compile(r"(^|[_\s-])(id|key|uuid|guid|nr|number)$|[a-z](Id|ID|Key)$|^(instant|index|row|rownum)$")


def infer_kinds(frame: pl.DataFrame, overrides: Mapping[str, Kind] | None = None) -> dict[str, Kind]:
    """Return the kind of every column. Integers with few values stay numbers; texts that repeat are categories.

    Raise InvalidInput for an override of a column that is not there, and for nested columns (lists, structs).
    """
    given = dict(overrides or {})
    for name in given:
        if name not in frame.columns:
            raise InvalidInput(f"`columns` names '{name}', which the data do not have", hint=near(name, frame.columns))
    return {column.name: given.get(column.name) or _kind(column) for column in frame.iter_columns()}


def _kind(column: pl.Series) -> Kind:
    dtype = column.dtype
    if dtype == pl.Boolean:
        return Kind.BOOLEAN
    if dtype.is_integer():
        return Kind.INTEGER if _fits_64_bits(column) else Kind.FLOAT
    if dtype.is_numeric() or dtype == pl.Duration:
        return Kind.FLOAT
    if dtype.is_temporal() and dtype != pl.Time:
        return Kind.DATETIME
    if dtype == pl.Null or dtype in (pl.Categorical, pl.Enum, pl.Time):
        return Kind.CATEGORY
    if dtype == pl.String:
        return _kind_of_text(column)
    raise InvalidInput(
        f"column '{column.name}' holds {dtype}, not single values",
        hint="split it into columns of its own, or leave it out",
    )


def _fits_64_bits(column: pl.Series) -> bool:
    return (
        column.dtype not in (pl.UInt64, pl.Int128)
        or column.cast(pl.Int64, strict=False).null_count() == column.null_count()
    )


def _kind_of_text(column: pl.Series) -> Kind:
    present = column.drop_nulls()
    values = present.filter(~present.is_in(MISSING))
    if values.is_empty():
        return Kind.CATEGORY
    if len(values) < len(present) and (number := _number_kind(values)) is not None:
        return number
    distinct = values.unique()
    if distinct.str.to_lowercase().is_in(["true", "false"]).all():
        return Kind.BOOLEAN
    if formats_of(distinct):
        return Kind.DATETIME
    return Kind.TEXT if _is_free_text(distinct, rows=len(values)) else Kind.CATEGORY


def _is_free_text(distinct: pl.Series, *, rows: int) -> bool:
    length = float(distinct.str.len_chars().to_numpy().mean())
    if len(distinct) <= _FEW:
        return length > 2 * _LONG
    return length > _LONG or len(distinct) > rows // 2 or (len(distinct) > _MANY and len(distinct) > rows // 5)


def _number_kind(values: pl.Series) -> Kind | None:
    """Return the kind of texts that are all numbers. Those with leading zeros are codes."""
    if values.str.contains(r"^[+-]?0\d").any():
        return None
    if values.cast(pl.Int64, strict=False).null_count() == 0:
        return Kind.INTEGER
    return Kind.FLOAT if values.cast(pl.Float64, strict=False).null_count() == 0 else None


def infer_task(target: pl.Series) -> Task:
    """Return the task that the target's values suggest: two values are binary, words or few whole numbers are classes.

    Raise InvalidInput where nothing can be predicted: no values, one value, dates, or texts that hardly repeat.
    """
    values = target.drop_nulls()
    if values.dtype.is_float():
        values = values.filter(values.is_finite())
    distinct = values.n_unique()
    if distinct < 2:
        found = f"only the value {values[0]!r}" if distinct else "no values"
        raise InvalidInput(f"target '{target.name}' has {found}", hint="choose a column that varies as the target")
    if distinct == 2:
        return Task.BINARY
    if values.dtype.is_temporal():
        raise InvalidInput(f"target '{target.name}' is a date or time", hint="choose a number or a class as the target")
    if values.dtype.is_numeric():
        is_whole = values.dtype.is_integer() or bool((values == values.round()).all())
        return (
            Task.MULTICLASS
            if is_whole and distinct <= _CLASSES and distinct <= max(3, len(values) // 10)
            else Task.REGRESSION
        )
    if distinct > max(_CLASSES, len(values) // 10):
        raise InvalidInput(
            f"target '{target.name}' has {distinct:,} different texts in {len(values):,} rows",
            hint="choose a number or a class as the target",
        )
    return Task.MULTICLASS


def infer_time(frame: pl.DataFrame, kinds: Mapping[str, Kind]) -> str | None:
    """Return the column that says when a row happened: dates without gaps, in order of the rows before others, then by name."""

    def rank(name: str) -> tuple[bool, bool, int]:
        moments = cast(frame[name], Kind.DATETIME).values.drop_nulls()
        return bool(moments.is_sorted()), bool(_TIME_NAMES.search(name)), moments.n_unique()

    dates = [name for name in frame.columns if kinds.get(name) is Kind.DATETIME and frame[name].null_count() == 0]
    return max(dates, key=rank) if dates else None


def infer_key(frame: pl.DataFrame, kinds: Mapping[str, Kind]) -> str | None:
    """Return the column that names a row: called like a key, without nulls or repeats."""
    for name in frame.columns:
        is_candidate = kinds.get(name) in (Kind.INTEGER, Kind.CATEGORY, Kind.TEXT) and _KEY_NAMES.search(name)
        if is_candidate and frame.height > 1 and not frame[name].null_count() and frame[name].is_unique().all():
            return name
    return None
