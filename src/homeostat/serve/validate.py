"""Rows of JSON held against a signature: a table, or the list of everything that does not fit.

This is the thorough way, which names up to 20 places. `decoder` has the fast one for what fits at once.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from heapq import nsmallest
from itertools import zip_longest
from typing import Any

import msgspec

from homeostat.core.columns import Column, Kind, Signature
from homeostat.core.errors import InvalidRows, near
from homeostat.serve.table import Table

MOST_FIELDS = 20
_INT64 = range(-(2**63), 2**63)
_EXPECTED = {
    Kind.INTEGER: "an integer of 64 bits",
    Kind.FLOAT: "a finite number",
    Kind.BOOLEAN: "true or false",
    Kind.CATEGORY: "a string",
    Kind.TEXT: "a string",
    Kind.DATETIME: "a time in ISO 8601",
}
# What needs no look at the single values; the rest goes through `_CONVERT`.
_PLAIN: dict[Kind, frozenset[type]] = {
    Kind.INTEGER: frozenset(),
    Kind.FLOAT: frozenset([float]),
    Kind.BOOLEAN: frozenset([bool]),
    Kind.CATEGORY: frozenset([str]),
    Kind.TEXT: frozenset([str]),
    Kind.DATETIME: frozenset(),
}


class Rows(msgspec.Struct, kw_only=True, eq=False):
    """`table`: the features. `keys`, `times`: of each row, None where not given."""

    table: Table
    keys: list[str | None]
    times: list[datetime | None]


class Foreign(msgspec.Struct, frozen=True):
    """A value that JSON has no word for, and no column takes: `words` say what it is."""

    words: str


class Validator:
    """Turns rows into a table, or refuses them all with InvalidRows, whose `fields` name at most 20 places. Thread-safe.

    Every column of the signature must be there, null only where it may be. The columns `time` and `key`, and those in `optional`, may be
    there too. Integers pass as numbers, whole numbers as integers, integers and booleans as categories; strings never pass as numbers.
    `model`: whose rows they are, for the hint.
    """

    def __init__(
        self,
        signature: Signature,
        *,
        time: str | None = None,
        key: str | None = None,
        optional: Iterable[str] = (),
        max_rows: int = 10_000,
        model: str = "NAME",
    ) -> None:
        self._columns = signature.columns
        self._names = frozenset(signature.names)
        self._time = time
        self._key = key
        self.known = self._names | {*optional, *(name for name in (time, key) if name is not None)}
        self.max_rows = max_rows
        self._model = model

    def read(self, rows: Sequence[Any]) -> Rows:
        """Return the rows as a table with their keys and times."""
        self.refuse_shape(rows)
        faults = _Faults()
        self._check_names(rows, faults)
        columns: dict[str, list[Any]] = {}
        for column in self._columns:
            columns[column.name] = _converted(column, [row.get(column.name, _MISSING) for row in rows], faults)
        times = self._times(rows, faults)
        keys = self._keys(rows, faults)
        faults.refuse_if_any(len(rows), self._model)
        values = list(zip(*columns.values(), strict=True)) if columns else [()] * len(rows)
        return Rows(table=Table.of_rows(self._columns, values), keys=keys, times=times)

    def refuse_count(self, rows: int) -> None:
        """Raise InvalidRows for a request of no rows, or of too many."""
        if not rows:
            raise InvalidRows("there are no rows", hint="send at least one object of features")
        if rows > self.max_rows:
            raise InvalidRows(
                f"{rows} rows in one request, at most {self.max_rows} are taken",
                hint="send them in parts, or raise serve.max_rows",
            )

    def refuse_shape(self, rows: Sequence[Any]) -> None:
        self.refuse_count(len(rows))
        wrong = [at for at, row in enumerate(rows) if not isinstance(row, dict)][:MOST_FIELDS]
        if wrong:
            fields: list[dict[str, object]] = [
                {"row": at, "field": None, "expected": "an object of features", "found": described(rows[at])}
                for at in wrong
            ]
            raise InvalidRows(
                f"row {wrong[0]} is {described(rows[wrong[0]])}, not an object",
                hint='send each row as {"column": value, ...}',
                fields=fields,
            )

    def _check_names(self, rows: Sequence[dict[str, Any]], faults: "_Faults") -> None:
        for at, row in enumerate(rows):
            if row.keys() == self._names:
                continue
            missing = [column for column in self._columns if column.name not in row]
            foreign = nsmallest(MOST_FIELDS, row.keys() - self.known)
            for column, name in zip_longest(missing[:MOST_FIELDS], foreign):  # by turns: both sorts are told of
                if column is not None:
                    faults.add(at, column.name, _expected(column), described(_MISSING))
                if name is not None:
                    hint = near(name, [each.name for each in missing] or self.known - row.keys())
                    faults.add(at, name[:_MOST_NAME], _FOREIGN + (f"; {hint}" if hint else ""), described(row[name]))
            if faults.is_full:
                return

    def _times(self, rows: Sequence[dict[str, Any]], faults: "_Faults") -> list[datetime | None]:
        if self._time is None:
            return [None] * len(rows)
        column = Column(name=self._time, kind=Kind.DATETIME)
        return _converted(column, [row.get(self._time) for row in rows], faults)

    def _keys(self, rows: Sequence[dict[str, Any]], faults: "_Faults") -> list[str | None]:
        if self._key is None:
            return [None] * len(rows)
        keys: list[str | None] = []
        for at, row in enumerate(rows):
            key = row.get(self._key)
            if isinstance(key, list | dict | Foreign):
                faults.add(at, self._key, "a string or a number", described(key))
            keys.append(None if key is None else str(key))
        return keys


_MISSING = object()
_FOREIGN = "no such column"
_MOST_NAME = 100


class _Faults:
    """The places that do not fit, the first 20 kept."""

    def __init__(self) -> None:
        self.kept: list[dict[str, object]] = []

    @property
    def is_full(self) -> bool:
        return len(self.kept) >= MOST_FIELDS

    def add(self, row: int, field: str, expected: str, found: str) -> None:
        if not self.is_full:
            self.kept.append({"row": row, "field": field, "expected": expected, "found": found})

    def refuse_if_any(self, rows: int, model: str) -> None:
        if not self.kept:
            return
        self.kept.sort(key=lambda fault: (fault["row"], str(fault["field"])))
        first = self.kept[0]
        told = [first, *self._another(first)]
        others = len(self.kept) - len(told)
        more = f", and {others}{' or more' if self.is_full else ''} other fault{'s' * (others > 1)}" * (others > 0)
        raise InvalidRows(
            f"row {first['row']} of {rows}: {'; '.join(map(_in_words, told))}{more}",
            hint=f"GET /models/{model} shows the columns and their types; nothing was predicted or recorded",
            fields=self.kept,
        )

    def _another(self, first: dict[str, object]) -> list[dict[str, object]]:
        """Return the row's first foreign column beside a missing one, and the other way round: the one may be meant for the other."""
        for fault in self.kept:
            if fault["row"] == first["row"] and {_sort(first), _sort(fault)} == {"missing", "foreign"}:
                return [fault]
        return []


def _sort(fault: dict[str, object]) -> str:
    if str(fault["expected"]).startswith(_FOREIGN):
        return "foreign"
    return "missing" if fault["found"] == described(_MISSING) else "other"


def _in_words(fault: dict[str, object]) -> str:
    if _sort(fault) == "foreign":
        return f"field '{fault['field']}': {fault['expected']}"
    return f"field '{fault['field']}': expected {fault['expected']}, found {fault['found']}"


def _expected(column: Column) -> str:
    return _EXPECTED[column.kind] + (" or null" if column.nullable else "")


def _converted(column: Column, values: list[Any], faults: _Faults) -> list[Any]:
    """Return the values in the type of the column; those that do not fit become faults."""
    kinds = set(map(type, values))
    if kinds <= _PLAIN[column.kind] and (column.kind is not Kind.FLOAT or all(map(math.isfinite, values))):
        return values
    convert = _CONVERT[column.kind]
    converted: list[Any] = []
    for at, value in enumerate(values):
        if value is _MISSING or (value is None and column.nullable):  # what is missing is told of already
            converted.append(None)
            continue
        try:
            converted.append(convert(value))
        except (ValueError, OverflowError):
            if faults.is_full:
                break
            faults.add(at, column.name, _expected(column), described(value))
            converted.append(None)
    return converted


def _integer(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or value not in _INT64:
        raise ValueError
    return value


def _float(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004 - caught above as "does not fit"
    return value


def _category(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if type(value) is int else _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - caught above as "does not fit"
    return value


def instant(value: Any) -> datetime:
    """Return the instant that ISO 8601 text (without a zone: UTC) or a datetime says; raise ValueError otherwise.

    >>> instant("2024-03-01T12:00:00+02:00").isoformat()
    '2024-03-01T10:00:00+00:00'
    """
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def value_of(column: Column, value: Any) -> Any:
    """Return a value in the type of the column; raise ValueError, whose text says what is expected, where it does not fit."""
    if value is None and column.nullable:
        return None
    try:
        return _CONVERT[column.kind](value)
    except (ValueError, OverflowError) as error:
        raise ValueError(_expected(column)) from error


_CONVERT: dict[Kind, Callable[[Any], Any]] = {
    Kind.INTEGER: _integer,
    Kind.FLOAT: _float,
    Kind.BOOLEAN: _boolean,
    Kind.CATEGORY: _category,
    Kind.TEXT: _text,
    Kind.DATETIME: instant,
}


def described(value: Any) -> str:  # noqa: PLR0911 - one case for each type
    """Return what a value is, in the words of JSON, and the value where it is short."""
    if value is _MISSING:
        return "nothing (the field is missing)"
    if value is None:
        return "null"
    if isinstance(value, Foreign):
        return value.words
    if isinstance(value, datetime):
        return f"the time {value.isoformat()}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"the number {str(value)[:40]}"
    if isinstance(value, str):
        return f"the string {json.dumps(value[:40], ensure_ascii=False)}" + ("..." if len(value) > 40 else "")
    return "a list" if isinstance(value, list | tuple) else "an object"
