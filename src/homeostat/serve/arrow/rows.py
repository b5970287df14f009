"""The rows that an Arrow IPC stream holds, checked against a signature like rows of JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import InvalidInput
from homeostat.serve.arrow.cells import Cells, Room, cells_of
from homeostat.serve.arrow.stream import broken, refuse_large
from homeostat.serve.decoder import Decoder
from homeostat.serve.table import Table
from homeostat.serve.validate import MOST_FIELDS, Rows, instant

if TYPE_CHECKING:
    import pyarrow as pa


def rows_of(decoder: Decoder, body: bytes, *, most_bytes: int) -> Rows:
    """Return the rows of a stream with their keys and times.

    Columns are known by their names; dictionaries are their values, NaN is null. The rules for values are those of JSON, and so are the
    errors: InvalidRows, whose `fields` name at most 20 places. Raises InvalidInput for what is no stream, TooLarge where buffers or texts
    would become larger than `most_bytes`. To be called in a thread: the first call imports pyarrow, and rows may be many.
    """
    refuse_large(body, most_bytes)
    columns, height = _read(decoder, body, Room(left=most_bytes, most=most_bytes))
    quick = _quick(decoder, columns, height)
    if quick is not None:
        return quick
    listed = {name: cells.listed() for name, cells in columns.items()}
    if not listed:
        return decoder.rows([{}] * height)
    return decoder.rows([dict(zip(listed, row, strict=True)) for row in zip(*listed.values(), strict=True)])


def _read(decoder: Decoder, body: bytes, room: Room) -> tuple[dict[str, Cells], int]:
    """Return the columns that matter (those that may be there, and the first of others, for the error to name) and the number of rows."""
    import pyarrow as pa

    parts: dict[str, list[Cells]] = {}
    height = 0
    try:
        options = pa.ipc.IpcReadOptions(ensure_alignment=pa.ipc.Alignment.DataTypeSpecific, use_threads=False)
        with pa.ipc.open_stream(pa.BufferReader(body), options=options) as reader:
            wanted = _wanted(decoder, reader.schema)
            for batch in reader:
                height += batch.num_rows
                decoder.refuse_count(max(1, height))
                batch.validate()
                for name, at in wanted.items():
                    parts.setdefault(name, []).append(cells_of(batch.column(at), room))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise broken(error) from error
    decoder.refuse_count(height)
    return {name: Cells.join(cells) for name, cells in parts.items()}, height


def _wanted(decoder: Decoder, schema: "pa.Schema") -> dict[str, int]:
    """Return the places of the columns to read, by name."""
    names = schema.names
    if len(set(names)) != len(names):
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise InvalidInput(f"the column '{twice[:100]}' is there twice", hint="send each column once")
    looked_at = {*decoder.signature.names, decoder.time, decoder.key}
    places = {name: at for at, name in enumerate(names)}
    unknown = [name for name in names if name not in decoder.known]
    return {name: at for name, at in places.items() if name in looked_at or name in unknown[:MOST_FIELDS]}


def _quick(decoder: Decoder, columns: Mapping[str, Cells], height: int) -> Rows | None:
    """Return the rows without a look at single values, None where they need one."""
    features = decoder.signature.columns
    if not columns.keys() <= decoder.known or not all(column.name in columns for column in features):
        return None
    arrays = [columns[column.name].fitting(column) for column in features]
    keys = _keys(columns.get(decoder.key or ""), height)
    times = _times(columns.get(decoder.time or ""), height)
    if keys is None or times is None or any(array is None for array in arrays):
        return None
    known = [array for array in arrays if array is not None]
    return Rows(table=Table.of_arrays(features, known, height=height), keys=keys, times=times)


def _keys(cells: Cells | None, height: int) -> list[str | None] | None:
    if cells is None:
        return [None] * height
    if cells.sort in ("foreign", "time"):
        return None
    return [None if value is None else str(value) for value in cells.listed()]


def _times(cells: Cells | None, height: int) -> list[datetime | None] | None:
    if cells is None:
        return [None] * height
    if cells.sort not in ("time", "text"):
        return None
    try:
        found: list[Any] = [None if value is None else instant(value) for value in cells.listed()]
    except (ValueError, OverflowError):
        return None
    return found
