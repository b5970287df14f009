"""Lines of the record that hold many rows (`core.bulk`), taken apart: as columns, as that is what reading costs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    import polars as pl

_START = b'{"bulk":'
_MADE = ("features", "scores")  # of arrays
_TOLD = {
    "prediction": "predictions",
    "key": "keys",
    "event_time": "event_times",
    "request_id": "request_ids",
    "row": "rows",
}
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


def apart(blocks: Iterable[bytes]) -> tuple[bytes, list[bytes]]:
    """Return the lines of single rows, and those of many. Lines end within their block."""
    single: list[bytes] = []
    many: list[bytes] = []
    for block in blocks:
        if not (block.startswith(_START) or b"\n" + _START in block):
            single.append(block)
        elif block.find(b"\n", 0, -1) < 0:  # as most: one line
            many.append(block)
        else:
            for line in block.splitlines(keepends=True):
                (many if line.startswith(_START) else single).append(line)
    return b"".join(single), many


def frame_of(lines: Iterable[bytes], schema: "Mapping[str, pl.DataType]") -> "pl.DataFrame":
    """Return all rows of lines of many in columns of the record: `features` and `prediction` as JSON texts."""
    import polars as pl

    alike: dict[tuple[Any, ...], list[_Read]] = defaultdict(list)
    for one in map(_decode, lines):
        classes = None if one.scores is None else len(one.scores) // one.bulk
        alike[one.columns, one.numbers is None, one.values is None, classes].append(one)
    return pl.concat([_frame(some, schema) for some in alike.values()])


def _frame(lines: Sequence[_Read], schema: "Mapping[str, pl.DataType]") -> "pl.DataFrame":
    """Return the rows of lines that have the same columns of the same kind."""
    import polars as pl

    counts = np.array([one.bulk for one in lines])
    rows = int(counts.sum())
    plain = {name: kind for name, kind in schema.items() if name not in _MADE}
    common = pl.DataFrame({name: [one.common.get(name) for one in lines] for name in plain}, schema=plain)
    place = pl.Series(np.arange(rows) - np.repeat(np.cumsum(counts) - counts, counts))
    found = common[np.repeat(np.arange(len(lines)), counts)].with_columns(
        pl.col("row") + place,
        pl.col("seq") + place,
        features=_features(lines, rows),
        scores=_scores(lines, rows),
    )
    return found.with_columns(pl.Series(n, told, dtype=schema[n]) for n, told in _told(lines)).select(*schema)


def _told(lines: Sequence[_Read]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the columns that lines tell row by row, or some of them."""
    for name, of in _TOLD.items():
        parts = [getattr(one, of) for one in lines]
        if any(part is not None for part in parts):
            found: list[Any] = []
            for one, part in zip(lines, parts, strict=True):
                if part is not None:
                    found.extend([bytes(raw).decode() for raw in part] if name == "prediction" else part)
                elif name == "row":
                    found.extend(range(one.common["row"], one.common["row"] + one.bulk))
                else:
                    found.extend(repeat(one.common.get(name), one.bulk))
            yield name, found


def _scores(lines: Sequence[_Read], rows: int) -> "pl.Series":
    import polars as pl

    wanted = pl.List(pl.Float64())
    if not lines[0].scores:
        return pl.repeat(None, rows, dtype=wanted, eager=True)
    flat = np.frombuffer(b"".join([one.scores or b"" for one in lines]))
    return pl.Series(flat.reshape(rows, -1)).cast(wanted)


def _features(lines: Sequence[_Read], rows: int) -> "pl.Series":
    """Return each row as a JSON object."""
    import polars as pl

    names = lines[0].columns
    if lines[0].numbers is not None:
        flat = np.frombuffer(b"".join([one.numbers or b"" for one in lines]))
        if not names:
            return pl.repeat("{}", rows, eager=True)
        frame = pl.DataFrame(flat.reshape(rows, len(names)), schema=list(names)).fill_nan(None)
        return frame.select(pl.struct(pl.all()).struct.json_encode()).to_series()
    if lines[0].values is not None:
        found = [row for one in lines for row in one.values or ()]
        return pl.Series([_encode(dict(zip(names, row, strict=True))).decode() for row in found], dtype=pl.String)
    return pl.repeat(None, rows, dtype=pl.String(), eager=True)
