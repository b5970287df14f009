"""Rows to records and back, by the names that they share."""

from dataclasses import fields
from typing import Any, ClassVar, Protocol, TypeVar

from sqlalchemy import Connection, Row, Table
from sqlalchemy.dialects import sqlite


class _Record(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


R = TypeVar("R", bound=_Record)


def values_of(record: _Record, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the record's fields as column values."""
    return {f.name: getattr(record, f.name) for f in fields(record) if f.name not in without}


def record_of(kind: type[R], row: Row[Any], /, **extra: Any) -> R:
    """Return the record that a row of its table holds; `extra` gives fields that the table lacks or stores differently."""
    found = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    names = {f.name for f in fields(kind)} - extra.keys()
    return kind(**{name: found[name] for name in names if name in found}, **extra)


def _insert(connection: Connection) -> Any:
    """Return the dialect's insert, which knows what to do about a conflict. PostgreSQL's takes 0.1 s to import."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert
    from sqlalchemy.dialects import postgresql

    return postgresql.insert


def upsert(connection: Connection, table: Table, values: dict[str, Any]) -> None:
    """Insert a row, or replace the row with the same primary key."""
    keys = [column.name for column in table.primary_key.columns]
    statement = _insert(connection)(table).values(**values)
    changed = {name: statement.excluded[name] for name in values if name not in keys}
    if changed:
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))
    else:
        connection.execute(statement.on_conflict_do_nothing(index_elements=keys))


def insert_missing(connection: Connection, table: Table, *rows: dict[str, Any]) -> None:
    """Insert rows, leaving those as they are whose primary key is there already."""
    connection.execute(_insert(connection)(table).on_conflict_do_nothing(), list(rows))


__all__ = ["insert_missing", "record_of", "upsert", "values_of"]
