"""One storage type per kind of column, and what could not be brought into it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from homeostat.core.columns import Kind
from homeostat.core.errors import InvalidInput
from homeostat.data.dates import formats_of, parse, readable

# Texts that stand for a missing value in columns that are otherwise numbers or dates.
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "none", "?", "-", ".", "#N/A")

DTYPES: dict[Kind, pl.DataType] = {
    Kind.INTEGER: pl.Int64(),
    Kind.FLOAT: pl.Float64(),
    Kind.BOOLEAN: pl.Boolean(),
    Kind.CATEGORY: pl.String(),
    Kind.DATETIME: pl.Datetime("us", "UTC"),
    Kind.TEXT: pl.String(),
}
_EXAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cast:
    """A column in the type of its kind. `bad` marks the rows whose value does not fit (their value is null); None: all fit.

    `why` says more where the single values are not to blame (dates in several formats).
    """

    values: pl.Series
    bad: pl.Series | None = None
    why: str = ""


def conform(frame: pl.DataFrame, kinds: Mapping[str, Kind]) -> pl.DataFrame:
    """Return the frame with every column that has a kind in its type; other columns stay as they are.

    Numbers may be texts, dates may be texts in one format (without a zone: UTC), whole fractions may be integers; NaN becomes null.
    Raise InvalidInput that names column, rows (the first is 1) and values where one does not fit.
    """
    done = []
    for column in frame.iter_columns():
        kind = kinds.get(column.name)
        if kind is None:
            done.append(column)
            continue
        result = cast(column, kind)
        if result.bad is not None:
            raise misfit(column, kind, result)
        done.append(result.values)
    return pl.DataFrame(done)


def misfit(column: pl.Series, kind: Kind, result: Cast) -> InvalidInput:
    """Return the error for a column that does not fit its kind."""
    hint = f"correct the values, or set `columns: {{{column.name}: category}}` under `data` if they are words"
    if result.why:
        return InvalidInput(
            f"column '{column.name}': {result.why}", hint="write all in one format, best as YYYY-MM-DDTHH:MM:SS"
        )
    rows = [] if result.bad is None else result.bad.arg_true().to_list()
    examples = ", ".join(f"row {row + 1:,}: {column[row]!r}" for row in rows[:_EXAMPLES])
    return InvalidInput(
        f"column '{column.name}' is {kind}, but {len(rows):,} of {len(column):,} values are not ({examples})", hint=hint
    )


def cast(column: pl.Series, kind: Kind) -> Cast:
    """Return the column in the type of its kind, with the rows that do not fit."""
    if column.dtype == DTYPES[kind]:
        return Cast(values=column.fill_nan(None) if kind is Kind.FLOAT else column)
    if column.dtype == pl.Null:
        return Cast(values=column.cast(DTYPES[kind]))
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    match kind:
        case Kind.INTEGER | Kind.FLOAT:
            return _to_number(column, kind)
        case Kind.BOOLEAN:
            return _to_boolean(column)
        case Kind.DATETIME:
            return _to_datetime(column)
        case Kind.CATEGORY | Kind.TEXT:
            return _to_text(column)


def _blanked(column: pl.Series) -> pl.Series:
    """The texts with those that stand for a missing value as null."""
    return column.set(column.is_in(MISSING).fill_null(value=False), None)


def _compared(before: pl.Series, after: pl.Series) -> Cast:
    lost = before.is_not_null() & after.is_null()
    return Cast(values=after, bad=lost if lost.any() else None)


def _to_number(column: pl.Series, kind: Kind) -> Cast:
    if column.dtype == pl.Duration:
        column = column.dt.total_microseconds() / 1_000_000
    if column.dtype == pl.String:
        column = _blanked(column.str.strip_chars())
    elif not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        return _none_fits(column, kind)
    if kind is Kind.FLOAT:
        floats = column.cast(pl.Float64, strict=False)
        return replace(_compared(column, floats), values=floats.fill_nan(None))
    if column.dtype == pl.String:
        fractions = _whole(column.cast(pl.Float64, strict=False))
        return _compared(column, column.cast(pl.Int64, strict=False).fill_null(fractions))
    if column.dtype.is_float():
        column = column.fill_nan(None)
        return _compared(column, _whole(column))
    return _compared(column, column.cast(pl.Int64, strict=False))


def _whole(column: pl.Series) -> pl.Series:
    """The whole numbers of a column of floats as integers, null for the others."""
    whole = column.cast(pl.Int64, strict=False)
    is_whole = (whole.cast(column.dtype) == column) & column.is_finite()
    return whole.set(~is_whole.fill_null(value=False), None)


def _none_fits(column: pl.Series, kind: Kind) -> Cast:
    return Cast(
        values=pl.Series(column.name, [None] * len(column), dtype=DTYPES[kind]),
        bad=column.is_not_null() if column.null_count() < len(column) else None,
    )


def _to_boolean(column: pl.Series) -> Cast:
    if column.dtype == pl.String:
        texts = _blanked(column.str.strip_chars()).str.to_lowercase()
        flags = texts.replace_strict(
            {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False},
            default=None,
            return_dtype=pl.Boolean,
        )
        return _compared(texts, flags)
    if column.dtype.is_numeric():
        if column.dtype.is_float():
            column = column.fill_nan(None)
        flag = (column == 1).set(~column.is_in([0, 1]).fill_null(value=True), None)
        return _compared(column, flag)
    return _none_fits(column, Kind.BOOLEAN)


def _to_datetime(column: pl.Series) -> Cast:
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime):
        moments = column.dt.cast_time_unit("us")
        return Cast(
            values=moments.dt.replace_time_zone("UTC")
            if dtype.time_zone is None
            else moments.dt.convert_time_zone("UTC")
        )
    if dtype == pl.Date:
        return Cast(values=column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    if dtype == pl.String:
        return _text_to_datetime(_blanked(column.str.strip_chars()))
    return Cast(
        values=pl.Series(column.name, [None] * len(column), dtype=DTYPES[Kind.DATETIME]), bad=column.is_not_null()
    )


def _text_to_datetime(texts: pl.Series) -> Cast:
    if texts.null_count() == len(texts):
        return Cast(values=texts.cast(DTYPES[Kind.DATETIME]))
    forms = formats_of(texts)
    if not forms:
        best = formats_of(texts.head(1)) or {"%Y-%m-%d": 0}
        return _compared(texts, parse(texts, next(iter(best))))
    first, *others = forms
    if not others:
        return Cast(values=parse(texts, first))
    moments = {form: parse(texts, form) for form in forms}
    if all(m.null_count() == texts.null_count() for m in moments.values()):
        if all(m.equals(moments[first], null_equal=True) for m in moments.values()):
            return Cast(values=moments[first])
        told = " or ".join(readable(form) for form in forms)
        return Cast(
            values=moments[first], bad=texts.is_not_null(), why=f"its dates can be read as {told} (row 1: {texts[0]!r})"
        )
    return Cast(values=moments[first], bad=moments[first].is_null() & texts.is_not_null(), why=_several(texts, moments))


def _several(texts: pl.Series, moments: dict[str, pl.Series]) -> str:
    told = []
    seen = texts.is_null()
    for form, read in moments.items():
        new = (read.is_not_null() & ~seen).arg_true()
        seen = seen | read.is_not_null()
        if len(new):
            told.append(f"{readable(form)} (row {new[0] + 1:,}: {texts[int(new[0])]!r})")
    return f"its dates are in {len(told)} formats: {', '.join(told)}"


def _to_text(column: pl.Series) -> Cast:
    if column.dtype.is_float():
        column = column.fill_nan(None)
        whole = _to_number(column, Kind.INTEGER)
        column = whole.values if whole.bad is None else column
    if column.dtype == pl.Boolean:
        return Cast(values=column.cast(pl.String))
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        return _none_fits(column, Kind.TEXT)
    return Cast(values=column.cast(pl.String))
