"""Statements for the paths that must be fast: compiled once, run by the driver itself.

Executing through SQLAlchemy costs several times what SQLite needs for the work. Values and results are the driver's own: times are
microseconds, JSON is text.
"""

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

from sqlalchemy import ARRAY, Connection, Dialect, Table, Text, bindparam, func, select
from sqlalchemy.dialects import sqlite

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SIZES = (1, 10, 100, 500)
_ROWS = (50, 10, 1)
_PIECE = 5000
_numbers = itertools.count()

Order = Callable[[Sequence[Any]], Sequence[Any]]


class Prepared:
    """`build` makes the statement, given the dialect's `insert`; `names` are its bound parameters, in the order that values come in."""

    def __init__(self, build: Callable[[Any], Any], *names: str) -> None:
        self._build = build
        self._names = names
        self._compiled: dict[str, tuple[str, Order]] = {}
        self._compiling = threading.Lock()

    def run(self, connection: Connection, *values: Any) -> Any:
        """Return the driver's cursor after running the statement once."""
        sql, order = self._for(connection.dialect)
        return raw(connection).execute(sql, order(values))

    def pieces(self, connection: Connection, *values: Any) -> Iterator[list[Any]]:
        """Yield the rows a few thousand at a time: no more are in memory, here or in the driver."""
        sql, order = self._for(connection.dialect)
        # SQLite's cursors walk as they are read; PostgreSQL's do so where they have a name
        named = {} if connection.dialect.name == "sqlite" else {"name": f"pieces_{next(_numbers)}"}
        with closing(raw(connection).cursor(**named)) as cursor:
            cursor.execute(sql, order(values))
            while rows := cursor.fetchmany(_PIECE):
                yield rows

    def many(self, connection: Connection, rows: Iterable[Sequence[Any]]) -> None:
        """Run the statement for each row."""
        sql, order = self._for(connection.dialect)
        raw(connection).cursor().executemany(sql, map(order, rows))

    def _for(self, dialect: Dialect) -> tuple[str, Order]:
        known = self._compiled.get(dialect.name)
        if known is None:
            with self._compiling:
                known = self._compiled[dialect.name] = self._compile(dialect.name)
        return known

    def _compile(self, name: str) -> tuple[str, Order]:
        if name == "sqlite":
            compiled = self._build(sqlite.insert).compile(dialect=sqlite.dialect(paramstyle="qmark"))
        else:
            from sqlalchemy.dialects import postgresql

            compiled = self._build(postgresql.insert).compile(dialect=postgresql.psycopg.dialect(paramstyle="format"))  # type: ignore[no-untyped-call]
        wanted = compiled.positiontup or []
        if missing := set(self._names) - set(wanted):
            raise ValueError(f"the statement does not bind {sorted(missing)}")
        constants = tuple(compiled.params[name] for name in wanted if name not in self._names)
        known = [*self._names, *(name for name in wanted if name not in self._names)]
        places = [known.index(name) for name in wanted]
        if places == list(range(len(self._names))):
            return str(compiled), lambda values: values
        if len(places) == 1:
            return str(compiled), lambda values: ((*values, *constants)[places[0]],)
        pick = itemgetter(*places)
        return str(compiled), (lambda values: pick((*values, *constants))) if constants else pick


class PreparedIn:
    """A statement about a list of texts, of any length: `build` is given what stands for them in `column.in_(...)`.

    PostgreSQL gets them as one array. For SQLite it is compiled for a few lengths, and a shorter list is filled up with its last value.
    """

    def __init__(self, build: Callable[[Any], Any]) -> None:
        def of(size: int) -> Prepared:
            listed = [f"in_{n}" for n in range(size)]
            return Prepared(lambda _insert: build([bindparam(name) for name in listed]), *listed)

        self._by_size = {size: of(size) for size in _SIZES}
        array = bindparam("listed", type_=ARRAY(Text))
        self._by_array = Prepared(lambda _insert: build(select(func.unnest(array))), "listed")

    def rows(self, connection: Connection, values: Sequence[str]) -> list[Any]:
        """Return the rows for all values, in no order between pieces of the list."""
        if connection.dialect.name != "sqlite":
            return list(self._by_array.run(connection, list(values)).fetchall())
        out: list[Any] = []
        for start in range(0, len(values), _SIZES[-1]):
            piece = values[start : start + _SIZES[-1]]
            size = next(size for size in _SIZES if size >= len(piece))
            filled = (*piece, *[piece[-1]] * (size - len(piece)))
            out += self._by_size[size].run(connection, *filled).fetchall()
        return out


class PreparedInsert:
    """Rows into a table, many to a statement. `conflict` says, given the insert, what happens to a row whose key is there.

    SQLite's driver lets other threads run once per statement, and waits for its turn after it. PostgreSQL gets each column as one array.
    """

    def __init__(self, table: Table, *names: str, conflict: Callable[[Any], Any] = lambda statement: statement) -> None:
        def of(size: int) -> Prepared:
            listed = [[f"{name}_{n}" for name in names] for n in range(size)]
            rows: list[dict[str, Any]] = [dict(zip(names, map(bindparam, row), strict=True)) for row in listed]
            flat = (name for row in listed for name in row)
            return Prepared(lambda insert: conflict(insert(table).values(rows)), *flat)

        def of_arrays(insert: Any) -> Any:
            arrays = [bindparam(f"{name}_all", type_=ARRAY(table.c[name].type)) for name in names]
            rows = func.unnest(*arrays).table_valued(*names).render_derived()
            return conflict(insert(table).from_select(names, select(*(rows.c[name] for name in names))))

        self._by_size = [(size, of(size)) for size in _ROWS]
        self._by_array = Prepared(of_arrays, *(f"{name}_all" for name in names))

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        if connection.dialect.name != "sqlite":
            if rows:
                self._by_array.run(connection, *map(list, zip(*rows, strict=True)))
            return
        at = 0
        for size, statement in self._by_size:
            while len(rows) - at >= size:
                statement.run(connection, *itertools.chain.from_iterable(rows[at : at + size]))
                at += size


def raw(connection: Connection) -> Any:
    """Return the driver's connection."""
    return connection.connection.driver_connection


def to_micros(time: datetime | None) -> int | None:
    return None if time is None else (time - _EPOCH) // _MICROSECOND


def of_micros(value: int | None) -> Any:
    return None if value is None else _EPOCH + timedelta(microseconds=value)
