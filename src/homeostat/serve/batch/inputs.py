"""The rows of CSV and Parquet files, a chunk at a time. CSV comes as text: the model's signature says what the texts are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import InvalidInput, near

if TYPE_CHECKING:
    import pyarrow as pa

_PARQUET = (".parquet", ".pq")
_CSV = (".csv", ".tsv", ".txt")
_PACKED = ("", ".gz", ".bz2", ".zst")
_READ_ROWS = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class Misshapen:
    """A line of a CSV file that has not as many fields as the header; `row` counts from 1, the header not counted."""

    row: int
    expected: int
    found: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """Rows of one file. `first_row`: the number of the first among the well-formed rows of the file, from 0.

    `misshapen`: lines met on the way that are no rows of the table; `passed_over`: the numbers of all such lines of the file until here.
    """

    number: int
    file: str
    first_row: int
    table: "pa.Table"
    misshapen: tuple[Misshapen, ...] = ()
    passed_over: tuple[int, ...] = ()

    def row(self, at: int) -> int:
        """Return the number in the file, from 1, of a row of the table, from 0."""
        number = self.first_row + at + 1
        for line in self.passed_over:
            if line > number:
                break
            number += 1
        return number


def files_of(asked: str, *, root: Path) -> list[Path]:
    """Return the files that a path or glob means, in the order of their names; paths start at `root`."""
    pattern = root / Path(asked).expanduser()
    is_glob = any(mark in asked for mark in "*?[")
    found = sorted(Path(name) for name in glob(str(pattern), recursive=True)) if is_glob else [pattern]  # noqa: PTH207 - the pattern may be absolute
    files = [path for path in found if path.is_file()]
    if not files:
        names = [path.name for path in pattern.parent.iterdir()] if not is_glob and pattern.parent.is_dir() else []
        raise InvalidInput(f"no file '{asked}'", hint=near(pattern.name, names) or f"paths start at {root}")
    for path in files:
        if not _is_parquet(path) and not _is_csv(path):
            raise InvalidInput(f"'{path.name}' is neither CSV nor Parquet by its name", hint="name it .csv or .parquet")
    return files


def rows_known(files: Iterable[Path]) -> int | None:
    """Return how many rows the files have where they say so themselves (Parquet), else None."""
    import pyarrow.parquet as pq

    total = 0
    for path in files:
        if not _is_parquet(path):
            return None
        try:
            total += pq.read_metadata(path).num_rows
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
    return total


def chunks(files: Iterable[Path], *, rows: int) -> Iterator[Chunk]:
    """Yield the rows of the files in chunks of `rows`, the last of each file shorter. The same files give the same chunks.

    Raise InvalidInput for a file that cannot be read, or has other columns than the first.
    """
    number = 0
    names: list[str] | None = None
    for path in files:
        misshapen: list[Misshapen] = []
        told, first_row = 0, 0
        for table in _regrouped(_batches(path, misshapen), rows):
            if names is None:
                names = table.column_names
            _refuse_other_columns(path, table.column_names, names)
            fresh, told = tuple(misshapen[told:]), len(misshapen)
            yield Chunk(
                number=number,
                file=path.name,
                first_row=first_row,
                table=table,
                misshapen=fresh,
                passed_over=tuple(line.row for line in misshapen),
            )
            number += 1
            first_row += table.num_rows


def _batches(path: Path, misshapen: list[Misshapen]) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa

    try:
        yield from _of_parquet(path) if _is_parquet(path) else _of_csv(path, misshapen)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _of_parquet(path: Path) -> Iterator["pa.RecordBatch"]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False, memory_map=True) as file:
        yield from file.iter_batches(batch_size=_READ_ROWS)


def _of_csv(path: Path, misshapen: list[Misshapen]) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa
    from pyarrow import csv

    delimiter = _delimiter(path)
    header = _header(path, delimiter)

    def note(line: Any) -> str:
        # the number counts lines, the header is the first
        misshapen.append(
            Misshapen(
                row=line.number - 1, expected=line.expected_columns, found=line.actual_columns, text=line.text[:200]
            )
        )
        return "skip"

    reader = csv.open_csv(
        pa.input_stream(str(path), compression="detect"),
        read_options=csv.ReadOptions(use_threads=False, block_size=1 << 20),
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    )
    with reader:
        yield from reader


def _first_line(path: Path) -> str:
    import io

    import pyarrow as pa

    with io.TextIOWrapper(pa.input_stream(str(path), compression="detect"), encoding="utf-8-sig", newline="") as text:
        line = text.readline(1 << 20)
    if not line.strip():
        raise InvalidInput(f"'{path.name}' is empty", hint="write the data again, with a header line")
    return line


def _delimiter(path: Path) -> str:
    outside_quotes = "".join(_first_line(path).split('"')[::2])
    return max(",;\t|", key=outside_quotes.count)


def _header(path: Path, delimiter: str) -> list[str]:
    import csv

    names = next(csv.reader([_first_line(path)], delimiter=delimiter))
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"'{path.name}' names column '{twice}' twice", hint="give each column its own name")
    return names


def _regrouped(batches: Iterator["pa.RecordBatch"], rows: int) -> Iterator["pa.Table"]:
    """Yield tables of `rows` rows, whatever the batches are. The last comes when the file was read to its end; it is empty for one without rows."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    size = 0
    for whole in batches:
        batch = whole
        while size + batch.num_rows > rows:
            take = rows - size
            yield pa.Table.from_batches([*held, batch.slice(0, take)])
            batch, held, size = batch.slice(take), [], 0
        if batch.num_rows or not held:
            held.append(batch)
            size += batch.num_rows
    if held:
        yield pa.Table.from_batches(held)


def _refuse_other_columns(path: Path, found: list[str], wanted: list[str]) -> None:
    if found == wanted:
        return
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    told = f"lacks {missing[:5]} and adds {extra[:5]}" if missing or extra else "has them in another order"
    raise InvalidInput(f"'{path.name}' does not have the columns of the first file: it {told}", hint="predict it apart")


def _unreadable(path: Path, error: Exception) -> InvalidInput:
    reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
    return InvalidInput(f"'{path.name}' cannot be read: {reason}", hint="write the file again, CSV in UTF-8 or Parquet")


def _is_parquet(path: Path) -> bool:
    return path.name.lower().endswith(_PARQUET)


def _is_csv(path: Path) -> bool:
    return any(path.name.lower().endswith(suffix + packed) for suffix in _CSV for packed in _PACKED)
