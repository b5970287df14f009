"""A made-up row, for a version that has seen none: its first-time work is done before a client waits for it."""

from datetime import datetime
from typing import Any

from homeostat.core.columns import Kind, Signature
from homeostat.serve.table import Table

_BLANKS: dict[Kind, Any] = {
    Kind.INTEGER: 0,
    Kind.FLOAT: 0.0,
    Kind.BOOLEAN: False,
    Kind.CATEGORY: "",
    Kind.TEXT: "",
    Kind.DATETIME: datetime.fromisoformat("2000-01-01T00:00:00+00:00"),
}


def blank(signature: Signature) -> Table:
    """Return one made-up row."""
    row = tuple(None if column.nullable else _BLANKS[column.kind] for column in signature.columns)
    return Table.of_rows(signature.columns, [row])
