"""The tables that are compared: read column by column, or in pieces where they do not fit into memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from homeostat.core.columns import Kind
from homeostat.core.errors import InvalidInput
from homeostat.data.kinds import infer_kinds
from homeostat.data.sources import read
from homeostat.serve.batch.inputs import chunks, files_of, rows_known
from homeostat.watch.comparison.pieces import place
from homeostat.watch.comparison.roles import Named, answer_columns, wanted
from homeostat.watch.profile import WindowProfile, merged, profile_of
from homeostat.watch.profile.vectors import vector_size

HEAD = 20_000  # rows from which a table in pieces tells its kinds
PIECE = 65_536  # rows
_VALUES = 16_000_000  # in a piece; those of vectors, of which there are copies, count twice
if TYPE_CHECKING:
    import pyarrow as pa

_BUFFERS = 64 << 20  # bytes, of all columns together
_MANY_WORDS = 100_000
_SETTLING = 16  # pieces
_PARQUET = (".parquet", ".pq")
_TEXTS = (".csv", ".tsv", ".txt")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counted:
    """A column of words that was counted while it was read; `head` are its first rows."""

    name: str
    rows: int
    nulls: int
    head: pl.Series
    counts: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """`column` reads one column; `counted` the same of words in Parquet, for a third of the work, None where it cannot."""

    name: str
    rows: int
    columns: Sequence[str]
    column: Callable[[str], pl.Series]
    counted: Callable[[str], Counted | None] = lambda _name: None


def table_of(frame: pl.DataFrame, name: str) -> Table:
    """Return a frame as a table."""
    return Table(name=name, rows=frame.height, columns=frame.columns, column=lambda column: frame[column])


def open_table(asked: str, *, root: Path) -> Table:
    """Return the table at an address: Parquet is read column by column, any other source at once. Raise InvalidInput where there is none, or no rows."""
    if not asked.lower().endswith(_PARQUET) or "://" in asked:
        return table_of(read(asked, root=root), asked)
    files = files_of(asked, root=root)
    rows = rows_known(files) or 0
    names = _names(files)
    if not rows:
        raise InvalidInput(f"'{asked}' has {len(names)} columns and no rows", hint="check the export")
    return Table(
        name=asked,
        rows=rows,
        columns=names,
        column=lambda name: _column(files, name, asked),
        counted=lambda name: _counted(files, name),
    )


def _column(files: Sequence[Path], name: str, asked: str) -> pl.Series:
    try:
        parts = [pl.DataFrame(pl.from_arrow(_arrow(file, name))) for file in files]
        return pl.concat(parts, how="vertical_relaxed").to_series()
    except pl.exceptions.PolarsError as error:
        raise _unreadable(asked, error) from error


def _counted(files: Sequence[Path], name: str) -> Counted | None:
    """Return the counts of a column of words: Parquet mostly keeps each word once, and a number for each row."""
    import pyarrow as pa

    if not all(_holds_words(file, name) for file in files):
        return None
    rows = nulls = 0
    head: pl.Series | None = None
    counts: dict[str, int] = {}
    for file in files:
        found = _arrow(file, name, as_dictionary=True).column(0)
        if max((len(chunk.dictionary) for chunk in found.chunks), default=0) > _MANY_WORDS:
            return None
        rows, nulls = rows + len(found), nulls + found.null_count
        if head is None:
            head = pl.Series(name, found.slice(0, HEAD).cast(pa.large_string()))
        counted = found.value_counts()
        for word, count in zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True):
            if word is not None:
                counts[word] = counts.get(word, 0) + count
    return None if head is None else Counted(name=name, rows=rows, nulls=nulls, head=head, counts=counts)


def _holds_words(file: Path, name: str) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    dtype = pq.read_schema(file).field(name).type
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype))


def _arrow(file: Path, name: str, *, as_dictionary: bool = False) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, pre_buffer=False, read_dictionary=[name] if as_dictionary else None) as opened:
            return opened.read(columns=[name], use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(file.name, error) from error


def _names(files: Sequence[Path]) -> list[str]:
    """Return the names of the columns, which all files share; raise InvalidInput where they do not."""
    import pyarrow.parquet as pq

    first, *others = [(file, pq.read_schema(file).names) for file in files]
    for file, names in others:
        if set(names) != set(first[1]):
            odd = sorted(set(names) ^ set(first[1]))
            raise InvalidInput(
                f"only one of '{first[0].name}' and '{file.name}' has {', '.join(map(repr, odd[:5]))}",
                hint="make the files agree, or narrow the pattern",
            )
    return list(first[1])


def size_in_rows(asked: str, *, root: Path) -> int | None:
    """Return how many bytes the comparison of its rows would hold at once; None where that is not known beforehand (a database)."""
    if "://" in asked or not asked.lower().endswith((*_PARQUET, *_TEXTS, ".gz", ".zst", ".bz2")):
        return None
    files = files_of(asked, root=root)
    if all(file.suffix.lower() in _PARQUET for file in files):
        # a column, sorted, and what a method computes on the way; or one of vectors
        return max(64 * (rows_known(files) or 0), 3 * _largest_nested(files))
    return sum(file.stat().st_size * (3 if file.suffix.lower() in _TEXTS else 12) for file in files)


def _largest_nested(files: Sequence[Path]) -> int:
    """Return how many bytes the largest column of lists takes, unpacked."""
    import pyarrow.parquet as pq

    sizes: dict[str, int] = {}
    for file in files:
        about = pq.read_metadata(file)
        for group in map(about.row_group, range(about.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                if "." in column.path_in_schema:
                    sizes[column.path_in_schema] = sizes.get(column.path_in_schema, 0) + column.total_uncompressed_size
    return max(sizes.values(), default=0)


def profile_table(
    asked: str,
    *,
    root: Path,
    like: WindowProfile | None = None,
    named: Named = Named(),  # noqa: B008 - frozen
    on: str = "here",
    tell: Callable[[int, int | None], None] = lambda _done, _all: None,
) -> WindowProfile:
    """Return the profile of CSV or Parquet files of any size, in constant memory; `tell` gets the rows done and all, where known.

    `like` is a reference, whose kinds and bins are used. Without one the bins are the quantiles of the first piece that has values; a
    column that has none in the first 16 pieces gets one bin. `named`: the columns of a model's answers, else those of `like`, or as
    `homeostat predict` names them. `on`: where the pieces are profiled, `here` or `ray`. Raise InvalidInput where the files cannot be read, or have no rows.
    """
    files = files_of(asked, root=root)
    head = head_of(asked, root=root)
    own = {name: kind_of(head[name]) for name in head.columns}
    answers = None if like is not None else answer_columns(head.select(wanted(head.columns, named)), named)
    sizes = vector_sizes(head)
    del head  # of a wide table it is large
    found = {name: kind for name, kind in own.items() if kind is not None} if like is None else like.kinds
    total = rows_known(files)
    run, pieces = place(on), frames(files, width=sum(sizes.values()))
    whole: WindowProfile | None = None
    for frame in islice(pieces, _SETTLING):
        part = profile_of(
            frame,
            found,
            like=whole if whole is not None else like,
            answers=answers,
            vectors=sizes if like is None else None,
        )
        whole = part if whole is None else merged(whole, part)
        tell(whole.rows, total)
        if whole.has_bins:
            break
    if whole is not None:
        whole = whole.with_bins()
        for part in run(pieces, found, whole):
            whole = merged(whole, part)
            tell(whole.rows, total)
    if whole is None or not whole.rows:
        raise InvalidInput(f"'{asked}' has no rows", hint="only a header is there: check the export")
    skipped = [name for name, kind in own.items() if kind is None and name not in whole.vectors]
    return msgspec.structs.replace(whole, skipped=skipped)


def vector_sizes(head: pl.DataFrame) -> dict[str, int]:
    """Return the columns of embeddings, and how many numbers each has, from the first rows."""
    found = {column.name: vector_size(column) for column in head.iter_columns() if column.dtype.is_nested()}
    return {name: size for name, size in found.items() if size is not None}


def kinds_of(asked: str, *, root: Path) -> dict[str, Kind | None]:
    """Return the kinds of the columns, from the first rows of the first file; None for lists and structs."""
    head = head_of(asked, root=root)
    return {name: kind_of(head[name]) for name in head.columns}


def head_of(asked: str, *, root: Path) -> pl.DataFrame:
    """Return the first rows of the first file; raise InvalidInput where it cannot be read."""
    file = files_of(asked, root=root)[0]
    try:
        if file.suffix.lower() in _PARQUET:
            return pl.read_parquet(file, n_rows=HEAD, glob=False)
        return pl.read_csv(file, n_rows=HEAD, infer_schema_length=None, separator=_separator(file))
    except pl.exceptions.PolarsError as error:
        raise _unreadable(asked, error) from error


def kind_of(column: pl.Series | Counted) -> Kind | None:
    """Return the kind of a column, of words by the first rows that have some; None for lists and structs, which are not compared."""
    if isinstance(column, Counted):
        words = (
            column.head
            if column.head.null_count() < len(column.head)
            else pl.Series(column.name, list(column.counts)[:HEAD])
        )
        return kind_of(words)
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        return None
    head = column.head(HEAD)
    is_told = column.dtype == pl.String and head.null_count() < len(head)
    return infer_kinds((head if is_told else column).to_frame())[column.name]


def frames(files: Sequence[Path], *, width: int = 0) -> Iterator[pl.DataFrame]:
    """Yield the rows of the files in pieces, smaller ones where rows hold vectors of `width` numbers together; raise InvalidInput for what cannot be read, and for rows that do not fit the header."""
    if all(file.suffix.lower() in _PARQUET for file in files):
        yield from _parquet_frames(files, width=width)
        return
    for chunk in chunks(files, rows=PIECE):
        if chunk.misshapen:
            line = chunk.misshapen[0]
            raise InvalidInput(
                f"row {line.row:,} of '{chunk.file}' has {line.found} fields, the header has {line.expected}",
                hint="quote texts that hold the separator or a line break, or correct the line",
            )
        yield pl.DataFrame(pl.from_arrow(chunk.table))


def _parquet_frames(files: Sequence[Path], *, width: int) -> Iterator[pl.DataFrame]:
    """Yield the rows through a small buffer: pages of a mapped file would count as memory of this process."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = _names(files)
    rows = max(1, min(PIECE, _VALUES // (len(names) + 2 * width)))
    buffer = max(1 << 14, min(1 << 20, _BUFFERS // len(names)))
    for file in files:
        try:
            with pq.ParquetFile(file, pre_buffer=False, buffer_size=buffer) as opened:
                for batch in opened.iter_batches(batch_size=rows, columns=names, use_threads=False):
                    yield pl.DataFrame(pl.from_arrow(batch))
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(file.name, error) from error


def _separator(file: Path) -> str:
    import gzip

    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8-sig", errors="replace") as lines:
        outside_quotes = "".join(lines.readline(1 << 20).split('"')[::2])
    return max(",;\t|", key=outside_quotes.count)


def _unreadable(asked: str, error: Exception) -> InvalidInput:
    reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
    return InvalidInput(f"'{asked}' cannot be read: {reason}", hint="write the file again, CSV in UTF-8 or Parquet")
