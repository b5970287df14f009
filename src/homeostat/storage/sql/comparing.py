"""Conditions as SQL expressions that mean the same on every dialect. Values are bound, never pasted."""

import operator as op
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, literal

from homeostat.core.errors import InvalidInput
from homeostat.storage.sql.patterns import check_pattern

_GLOB = str.maketrans({"[": "[[]", "*": "[*]", "?": "[?]", "%": "*", "_": "?"})
_COMPARE: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "=": op.eq,
    "!=": op.ne,
    "<": op.lt,
    "<=": op.le,
    ">": op.gt,
    ">=": op.ge,
    "IN": lambda column, values: column.in_(values),
    "NOT IN": lambda column, values: column.not_in(values),
    "LIKE": lambda column, pattern: column.like(pattern),
    "ILIKE": lambda column, pattern: column.ilike(pattern),
}


def compare(column: ColumnElement[Any], operator: str, value: Any, *, dialect: str) -> ColumnElement[bool]:
    """Return `column operator value`. LIKE minds case and ILIKE does not, whatever the database's own habit."""
    if operator not in {*_COMPARE, "RLIKE"}:
        raise InvalidInput(f"'{operator}' is not a comparison that the store knows")
    if operator == "LIKE" and dialect == "sqlite":  # its LIKE takes no notice of case; GLOB does
        return column.op("GLOB", is_comparison=True)(literal(value.translate(_GLOB)))
    if operator == "RLIKE":
        check_pattern(value)
        return column.op("REGEXP" if dialect == "sqlite" else "~", is_comparison=True)(literal(value))
    return _COMPARE[operator](column, value)
