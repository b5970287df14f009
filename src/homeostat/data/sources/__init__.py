"""Where data come from. One file per source, with the constant SOURCE; found by looking into this folder."""

from functools import cache
from pathlib import Path

import polars as pl

from homeostat.core.errors import InvalidInput
from homeostat.core.plugins import plugins
from homeostat.data.source import Ask, Source

__all__ = ["read", "sources"]


@cache
def sources() -> dict[str, Source]:
    """Return every source by name."""
    return plugins(__name__, __path__, "SOURCE", has_others=True)


def read(uri: str, *, query: str | None = None, root: Path) -> pl.DataFrame:
    """Return all rows at an address: a file, a glob, a Delta table or a database query.

    Relative paths start at `root`. Raise InvalidInput, with a remedy, for anything that is not a table with rows.
    """
    ask = Ask(uri=uri, root=root, query=query)
    source = _claiming(ask)
    if query is not None and source.name != "sql":
        raise InvalidInput(
            f"a query was given, but '{uri}' is not a database", hint="leave `query` out, or give a SQLAlchemy URL"
        )
    frame = source.read(ask)
    if not frame.width:
        raise InvalidInput(f"'{uri}' has no columns", hint="write the data again, with a header")
    if frame.is_empty():
        raise InvalidInput(
            f"'{uri}' has {frame.width} column{'s' * (frame.width > 1)} and no rows",
            hint="only the header is there: check the export or the query",
        )
    return frame


def _claiming(ask: Ask) -> Source:
    if not ask.uri.strip():
        raise InvalidInput("the source is an empty text", hint=f"give one of: {_accepted()}")
    for source in sources().values():
        if source.claims(ask):
            return source
    raise InvalidInput(
        f"'{ask.uri}' is none of the kinds of source that can be read", hint=f"give one of: {_accepted()}"
    )


def _accepted() -> str:
    return "; ".join(source.looks_like for source in sources().values())
