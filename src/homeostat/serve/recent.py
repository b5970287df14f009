"""Rows of recent requests: what the next version is warmed up with."""

from collections import deque
from collections.abc import Sequence

from homeostat.serve.table import Table

_ROWS = 32
_TABLES = 4
_KEEP_EVERY = 64  # one request of so many is remembered


class Recent:
    """Some rows of each model that were answered; a few tables of each, whatever the number of requests."""

    def __init__(self) -> None:
        self._tables: dict[str, deque[Table]] = {}
        self._asked = 0

    def remember(self, model: str, table: Table) -> None:
        """Keep the rows, now and then."""
        self._asked += 1
        if self._asked % _KEEP_EVERY == 1:
            self._tables.setdefault(model, deque(maxlen=_TABLES)).append(table.slice(0, _ROWS))

    def of(self, model: str) -> Sequence[Table]:
        return tuple(self._tables.get(model, ()))
