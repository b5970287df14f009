"""What a check of a batch is: a rule, and the violations it finds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
import polars as pl

from homeostat.data.cast import Cast
from homeostat.data.contract import Contract

SAMPLE = 10  # rows that a report names of each violation


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One rule broken in one column (None: the batch as a whole). `rows`: numbers of the first of the rows; the first row is 1."""

    column: str | None
    rule: str
    count: int
    rows: list[int]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Context:
    """What a check may know besides the batch: the time, how each column was cast, the keys of earlier rows, all names.

    `named`: how many rows a violation names at most.
    """

    now: datetime
    casts: Mapping[str, Cast]
    names: tuple[str, ...]
    known_keys: pl.DataFrame | None = None
    named: int = SAMPLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`run` gets the batch with its columns in the types of the contract (values that did not fit are null)."""

    name: str
    run: Callable[[pl.DataFrame, Contract, Context], list[Violation]]


def violation(column: str | None, rule: str, broken: pl.Series, message: str, *, context: Context) -> Violation:
    """Return the violation of the rows marked in a boolean series."""
    rows = broken.arg_true()
    named = (rows.head(context.named) + 1).to_list()
    return Violation(column=column, rule=rule, count=len(rows), rows=named, message=message)


def missing(column: pl.Series) -> pl.Series:
    """Return which values are missing: null, or not a number."""
    return column.fill_nan(None).is_null() if column.dtype.is_float() else column.is_null()
