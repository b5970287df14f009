"""The tables that are compared: read column by column, or in pieces where they do not fit into memory."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from homeostat.core.columns import Kind
from homeostat.core.errors import InvalidInput
from homeostat.data.kinds import infer_kinds
from homeostat.data.sources import read
from homeostat.serve.batch.inputs import chunks, files_of, rows_known
from homeostat.watch.profile import WindowProfile, merged, profile_of

HEAD = 20_000  # rows from which a table in pieces tells its kinds
PIECE = 65_536  # rows
_PARQUET = (".parquet", ".pq")
_TEXTS = (".csv", ".tsv", ".txt")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """`column` reads one column; a table of Parquet files holds none of the others meanwhile."""

    name: str
    rows: int
    schema: Mapping[str, pl.DataType]
    column: Callable[[str], pl.Series]


def table_of(frame: pl.DataFrame, name: str) -> Table:
    """Return a frame as a table."""
    return Table(name=name, rows=frame.height, schema=frame.schema, column=lambda column: frame[column])


def open_table(asked: str, *, root: Path) -> Table:
    """Return the table at an address: Parquet is read column by column, any other source at once. Raise InvalidInput where there is none, or no rows."""
    if not asked.lower().endswith(_PARQUET) or "://" in asked:
        return table_of(read(asked, root=root), asked)
    files = files_of(asked, root=root)
    try:
        scan = pl.scan_parquet(files, glob=False)
        schema = scan.collect_schema()
        rows = rows_known(files) or 0
    except pl.exceptions.PolarsError as error:
        raise _unreadable(asked, error) from error
    if not rows:
        raise InvalidInput(f"'{asked}' has {len(schema)} columns and no rows", hint="check the export")

    def column(name: str) -> pl.Series:
        try:
            return scan.select(name).collect().to_series()
        except pl.exceptions.PolarsError as error:
            raise _unreadable(asked, error) from error

    return Table(name=asked, rows=rows, schema=schema, column=column)


def size_in_rows(asked: str, *, root: Path) -> int | None:
    """Return how many bytes the comparison of its rows would hold at once; None where that is not known beforehand (a database)."""
    if "://" in asked or not asked.lower().endswith((*_PARQUET, *_TEXTS, ".gz", ".zst", ".bz2")):
        return None
    files = files_of(asked, root=root)
    if all(file.suffix.lower() in _PARQUET for file in files):
        return 64 * (rows_known(files) or 0)  # a column, sorted, and what a method computes on the way
    return sum(file.stat().st_size * (3 if file.suffix.lower() in _TEXTS else 12) for file in files)


def profile_table(
    asked: str,
    *,
    root: Path,
    like: WindowProfile | None = None,
    tell: Callable[[int, int | None], None] = lambda _done, _all: None,
) -> WindowProfile:
    """Return the profile of CSV or Parquet files of any size, in constant memory; `tell` gets the rows done and all, where known.

    `like` is a reference, whose kinds and bins are used. Raise InvalidInput where the files cannot be read, or have no rows.
    """
    files = files_of(asked, root=root)
    own = kinds_of(asked, root=root)
    found = {name: kind for name, kind in own.items() if kind is not None} if like is None else like.kinds
    total = rows_known(files)
    whole: WindowProfile | None = None
    for frame in _frames(files):
        part = profile_of(frame, found, like=whole if whole is not None else like)
        whole = part if whole is None else merged(whole, part)
        tell(whole.rows, total)
    if whole is None or not whole.rows:
        raise InvalidInput(f"'{asked}' has no rows", hint="only a header is there: check the export")
    return msgspec.structs.replace(whole, skipped=[name for name, kind in own.items() if kind is None])


def kinds_of(asked: str, *, root: Path) -> dict[str, Kind | None]:
    """Return the kinds of the columns, from the first rows of the first file; None for lists and structs."""
    file = files_of(asked, root=root)[0]
    try:
        if file.suffix.lower() in _PARQUET:
            head = pl.read_parquet(file, n_rows=HEAD, glob=False)
        else:
            head = pl.read_csv(file, n_rows=HEAD, infer_schema_length=None, separator=_separator(file))
    except pl.exceptions.PolarsError as error:
        raise _unreadable(asked, error) from error
    return {name: kind_of(head[name]) for name in head.columns}


def kind_of(column: pl.Series) -> Kind | None:
    """Return the kind of a column; None for lists and structs, which are not compared."""
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        return None
    return infer_kinds(column.to_frame())[column.name]


def _frames(files: list[Path]) -> Iterator[pl.DataFrame]:
    for chunk in chunks(files, rows=PIECE):
        if chunk.misshapen:
            line = chunk.misshapen[0]
            raise InvalidInput(
                f"row {line.row:,} of '{chunk.file}' has {line.found} fields, the header has {line.expected}",
                hint="quote texts that hold the separator or a line break, or correct the line",
            )
        yield pl.DataFrame(pl.from_arrow(chunk.table))


def _separator(file: Path) -> str:
    import gzip

    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8-sig", errors="replace") as lines:
        outside_quotes = "".join(lines.readline(1 << 20).split('"')[::2])
    return max(",;\t|", key=outside_quotes.count)


def _unreadable(asked: str, error: Exception) -> InvalidInput:
    reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
    return InvalidInput(f"'{asked}' cannot be read: {reason}", hint="write the file again, CSV in UTF-8 or Parquet")
