"""Lines of the record that hold many rows (`core.bulk`), taken apart."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from math import isnan
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import polars as pl

_START = b'{"bulk":'
_encode = msgspec.json.Encoder().encode


class _Read(msgspec.Struct, gc=False):
    """`core.bulk.Bulk` as it is read."""

    bulk: int
    common: dict[str, Any]
    columns: tuple[str, ...] = ()
    numbers: bytes | None = None
    values: list[list[Any]] | None = None
    predictions: list[msgspec.Raw] | None = None
    scores: bytes | None = None
    keys: list[str | None] | None = None
    event_times: list[int | None] | None = None
    request_ids: list[str] | None = None
    rows: list[int] | None = None


_decode = msgspec.json.Decoder(_Read).decode


def apart(lines: bytes) -> tuple[bytes, list[bytes]]:
    """Return the lines of single rows, and those of many."""
    if not (lines.startswith(_START) or b"\n" + _START in lines):
        return lines, []
    single: list[bytes] = []
    many: list[bytes] = []
    for line in lines.split(b"\n"):
        (many if line.startswith(_START) else single).append(line)
    return b"\n".join(single), many


def frame_of(lines: Iterable[bytes], schema: "Mapping[str, pl.DataType]") -> "pl.DataFrame":
    """Return all rows of lines of many in columns of the record: `features` and `prediction` as JSON texts."""
    import polars as pl

    found: dict[str, list[Any]] = {name: [] for name in schema if name != "scores"}
    scores = []
    for line in lines:
        read = _decode(line)
        own = _own(read)
        for name, values in found.items():
            values.extend(own[name] if name in own else repeat(read.common.get(name), read.bulk))
        scores.append(_scores(read.scores, read.bulk))
    # a list of lists would become a series each
    return pl.DataFrame({**found, "scores": pl.concat(scores)}, schema_overrides=schema).select(*schema)


def _scores(numbers: bytes | None, rows: int) -> "pl.Series":
    import polars as pl

    wanted = pl.List(pl.Float64())
    if not numbers:
        return pl.repeat(None, rows, dtype=wanted, eager=True)
    flat = pl.Series(memoryview(numbers).cast("d").tolist(), dtype=pl.Float64())
    return flat.reshape((rows, -1)).cast(wanted)


def _own(read: _Read) -> Mapping[str, Iterable[Any]]:
    """Return the values in which the rows differ."""
    first, seq = read.common["row"], read.common.get("seq", 0)
    own: dict[str, Iterable[Any]] = {"row": range(first, first + read.bulk), "seq": range(seq, seq + read.bulk)}
    if read.numbers is not None:
        own["features"] = _texts(read.columns, _plain(read.numbers, read.bulk))
    elif read.values is not None:
        own["features"] = _texts(read.columns, read.values)
    if read.predictions is not None:
        own["prediction"] = [bytes(each).decode() for each in read.predictions]
    if read.keys is not None:
        own["key"] = read.keys
    if read.event_times is not None:
        own["event_time"] = read.event_times
    if read.request_ids is not None and read.rows is not None:
        own["request_id"], own["row"] = read.request_ids, read.rows
    return own


def _matrix(numbers: bytes, rows: int) -> list[list[float]]:
    width = len(numbers) // 8 // rows
    if not width:
        return [[]] * rows
    found: list[list[float]] = memoryview(numbers).cast("d", (rows, width)).tolist()  # type: ignore[assignment]
    return found


def _plain(numbers: bytes, rows: int) -> list[list[float | None]]:
    """Return rows of numbers, None for NaN."""
    found = _matrix(numbers, rows)
    if not isnan(sum(map(sum, found))):  # none is infinite: such rows were refused
        return found  # type: ignore[return-value]
    return [[None if value != value else value for value in row] for row in found]  # noqa: PLR0124


def _texts(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Return each row as a JSON object of these names."""
    return [_encode(dict(zip(names, row, strict=True))).decode() for row in rows]
