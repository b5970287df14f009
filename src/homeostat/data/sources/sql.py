"""A query on any database that SQLAlchemy reaches. Only reading: the statement must be a select, and is rolled back."""

import re
from pathlib import Path
from typing import Any

import polars as pl

from homeostat.core.errors import InvalidInput, near
from homeostat.data.source import Ask, Source

_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_TEXTS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", re.DOTALL)
_WRITES = re.compile(
    r"\b(insert|update|delete|merge|drop|create|alter|truncate|grant|revoke|attach|pragma|copy|vacuum|into|call|exec)\b",
    re.IGNORECASE,
)


def read(ask: Ask) -> pl.DataFrame:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    query = _only_select(ask.query)
    url = _url(ask)
    shown = url.render_as_string(hide_password=True)
    try:
        engine = create_engine(url)
    except ModuleNotFoundError as error:
        raise InvalidInput(
            f"the driver for '{shown}' is not installed: no module '{error.name}'",
            hint=f"install the package that brings '{error.name}', or name a driver that is there: dialect+driver://...",
        ) from error
    except SQLAlchemyError as error:
        raise InvalidInput(
            f"'{shown}' is not a database URL: {_reason(error)}", hint="see docs.sqlalchemy.org"
        ) from error
    try:
        with engine.connect() as connection:
            reader = (
                connection.execution_options(postgresql_readonly=True)
                if url.get_backend_name() == "postgresql"
                else connection
            )
            if url.get_backend_name() == "sqlite":
                reader.exec_driver_sql("PRAGMA query_only = ON")
            result = reader.execute(text(query.replace(":", r"\:")))
            names = list(result.keys())
            rows = list(result.fetchall())
            reader.rollback()
    except SQLAlchemyError as error:
        raise InvalidInput(
            f"the query on '{shown}' failed: {_reason(error)}", hint="try it in the database's own shell"
        ) from error
    finally:
        engine.dispose()
    return _frame(names, rows)


def _only_select(query: str | None) -> str:
    if query is None or not query.strip():
        raise InvalidInput(
            "a database needs a query",
            hint="add `query: select ... from ...` under `data`; `homeostat init` takes it as --query",
        )
    bare = _TEXTS.sub("''", _COMMENTS.sub(" ", query)).strip().rstrip(";").strip()
    if not re.match(r"(select|with|values)\b", bare, re.IGNORECASE):
        raise InvalidInput("the query is not a select", hint="data are only read: start it with SELECT or WITH")
    if ";" in bare:
        raise InvalidInput("the query has more than one statement", hint="give one SELECT")
    if write := _WRITES.search(bare):
        raise InvalidInput(
            f"the query may write: it has the word '{write.group()}'",
            hint="data are only read; if that is the name of a column, put it in double quotes",
        )
    return query.strip().rstrip(";")


def _url(ask: Ask) -> Any:
    """Return the URL; the file of a SQLite database is looked for from the root, and never created."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(ask.uri)
    except ArgumentError as error:
        raise InvalidInput("the source is not a database URL", hint="dialect://user:password@host/database") from error
    if url.get_backend_name() != "sqlite":
        return url
    path = ask.root / Path(url.database or "")
    if not path.is_file():
        names = [found.name for found in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InvalidInput(f"no database file '{path}'", hint=near(path.name, names) or f"paths start at {ask.root}")
    return url.set(database=str(path))


def _frame(names: list[str], rows: list[Any]) -> pl.DataFrame:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(
            f"the query names column '{twice[0]}' more than once", hint="give each its own name: `x AS y`"
        )
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return pl.DataFrame([_series(name, list(values)) for name, values in zip(names, columns, strict=True)])


def _series(name: str, values: list[Any]) -> pl.Series:
    """Return a column; values of several types in it (SQLite allows that) become text."""
    try:
        return pl.Series(name, values, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        if all(isinstance(value, int | float | None) for value in values):
            return pl.Series(name, values, dtype=pl.Float64, strict=False)
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0][:300]


def _claims(ask: Ask) -> bool:
    return not ask.is_file and ask.scheme not in ("http", "https", "ftp")


SOURCE = Source(name="sql", looks_like="a SQLAlchemy URL with a query", claims=_claims, read=read)
