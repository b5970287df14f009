"""What a search finds, worked out in plain Python: each condition looked at by itself, each order a stable sort."""

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Value = Callable[
    [Any, str, str], Any
]  # of a thing, an entity and a key; a list where there may be several; None where there is none


@dataclass(frozen=True)
class Clause:
    entity: str
    key: str
    operator: str
    value: Any = None

    def __str__(self) -> str:
        name = _name(self.entity, self.key)
        if self.value is None:
            return f"{name} {self.operator}"
        if isinstance(self.value, tuple):
            return f"{name} {self.operator} ({', '.join(_quoted(each) for each in self.value)})"
        return f"{name} {self.operator} {_quoted(self.value) if isinstance(self.value, str) else self.value}"


@dataclass(frozen=True)
class Order:
    entity: str
    key: str
    is_ascending: bool

    def __str__(self) -> str:
        return f"{_name(self.entity, self.key)} {'ASC' if self.is_ascending else 'DESC'}"


def _name(entity: str, key: str) -> str:
    return key if entity == "attributes" else f"{entity}.`{key}`"


def _quoted(text: str) -> str:
    return f"'{text}'"


def text_of(clauses: Iterable[Clause]) -> str:
    return " AND ".join(str(clause) for clause in clauses)


def found(
    things: Iterable[Any], clauses: Iterable[Clause], orders: Iterable[Order], value: Value, *, ties: list[Order]
) -> list[Any]:
    """Return the things that all clauses hold for, in order. What has no value comes last whichever way, after what is NaN."""
    kept = [each for each in things if all(holds(clause, value(each, clause.entity, clause.key)) for clause in clauses)]
    for order in reversed([*orders, *ties]):
        valued, nans, nones = [], [], []
        for each in kept:
            one = value(each, order.entity, order.key)
            (nones if one is None else nans if one != one else valued).append((one, each))  # noqa: PLR0124 - NaN
        valued.sort(key=lambda pair: pair[0], reverse=not order.is_ascending)
        kept = [each for _, each in (*valued, *nans, *nones)]
    return kept


def holds(clause: Clause, value: Any) -> bool:
    """Return whether a clause is true of a value; nothing but IS NULL is true of a value that is not there."""
    if isinstance(value, list):
        return any(holds(clause, each) for each in value)
    match clause.operator:
        case "IS NULL":
            return value is None
        case "IS NOT NULL":
            return value is not None
    return value is not None and COMPARE[clause.operator](value, clause.value)


def _pattern(wanted: str, flags: int = 0) -> re.Pattern[str]:
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(each) or re.escape(each) for each in wanted), flags | re.DOTALL)


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "IN": lambda value, wanted: value in wanted,
    "NOT IN": lambda value, wanted: value not in wanted,
    "LIKE": lambda value, wanted: _pattern(wanted).fullmatch(value) is not None,
    "ILIKE": lambda value, wanted: _pattern(wanted, re.IGNORECASE).fullmatch(value) is not None,
}


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, NaN and NaN too."""
    if isinstance(one, float) and isinstance(other, float) and one != one:  # noqa: PLR0124 - NaN
        return other != other  # noqa: PLR0124
    return bool(one == other)
