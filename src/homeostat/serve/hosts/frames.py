"""What engine and model process say to each other: frames of a length and a MessagePack value, over one socket.

The engine asks `Ask`, the process answers `Said` or `Failed`. Tables travel as a matrix where all columns are numbers (one buffer, nothing
parsed), else as columns of values.
"""

from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from homeostat.core.columns import Column, Kind
from homeostat.serve.table import Table
from homeostat.track.predictions import Predictions

HEADER_BYTES = 4
MOST_BYTES = 1 << 31
_MOST_EXACT = 2**53


class Ask(msgspec.Struct, tag="ask", omit_defaults=True):
    """`verb`: `predict`, or what else the process can do (`explain`). `matrix`: float64, row by row; `columns`: values of each column."""

    height: int
    verb: str = "predict"
    matrix: bytes | None = None
    columns: list[list[Any]] | None = None
    options: dict[str, Any] = {}


class Ready(msgspec.Struct, tag="ready"):
    """The package is loaded. `modules`: what it has made the process import, of those that a fork server knows."""

    signature: dict[str, Any]
    load_s: float
    modules: list[str] = []


class Said(msgspec.Struct, tag="said", omit_defaults=True):
    """`labels` as plain values; `scores`: float64, row by row."""

    labels: list[Any]
    scores: bytes | None = None
    value: Any = None


class Failed(msgspec.Struct, tag="failed"):
    """The model's code raised."""

    kind: str
    message: str
    hint: str | None = None


Frame = Ask | Ready | Said | Failed
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frame).decode


def framed(frame: Frame) -> bytes:
    """Return the bytes to send."""
    body = _encode(frame)
    return len(body).to_bytes(HEADER_BYTES, "little") + body


def unframed(body: bytes) -> Frame:
    """Return the frame of a body without its length."""
    frame: Frame = _decode(body)
    return frame


def asking(table: Table, *, verb: str = "predict", options: dict[str, Any] | None = None) -> Ask:
    """Return the question for a table. `options`: the table's params where they are not given."""
    options = options or dict(table.params)
    if table.is_numeric and _is_exact(table):
        matrix = np.ascontiguousarray(table.matrix()).tobytes()
        return Ask(height=table.height, verb=verb, matrix=matrix, options=options)
    columns = [list(values) for values in zip(*table.rows(), strict=True)] if table.height else []
    return Ask(height=table.height, verb=verb, columns=columns, options=options)


def table_of(ask: Ask, columns: tuple[Column, ...]) -> Table:
    """Return the table that was asked about."""
    if ask.matrix is not None:
        matrix = np.frombuffer(ask.matrix, dtype=np.float64).reshape(ask.height, len(columns)).copy()
        arrays = [_typed(matrix[:, i], column) for i, column in enumerate(columns)]
        return Table.of_arrays(columns, arrays, height=ask.height, matrix=matrix)
    listed = [_timed(values, column) for values, column in zip(ask.columns or [], columns, strict=bool(ask.columns))]
    rows = list(zip(*listed, strict=True)) if listed else [()] * ask.height
    return Table.of_rows(columns, rows)


def saying(predictions: Predictions) -> Said:
    scores = None if predictions.scores is None else np.ascontiguousarray(predictions.scores).tobytes()
    return Said(labels=predictions.labels.tolist(), scores=scores)


def predictions_of(said: Said, classes: tuple[Any, ...]) -> Predictions:
    """Return the predictions that were said."""
    labels = np.array(said.labels, dtype=None if _is_one_kind(said.labels) else object)
    if said.scores is None:
        return Predictions(labels=labels, classes=classes)
    scores = np.frombuffer(said.scores, dtype=np.float64).reshape(len(said.labels), len(classes))
    return Predictions(labels=labels, scores=scores, classes=classes)


def _is_one_kind(labels: list[Any]) -> bool:
    return len(set(map(type, labels))) <= 1


def _is_exact(table: Table) -> bool:
    """Return whether no integer loses digits as a float."""
    whole = [i for i, column in enumerate(table.columns) if column.kind is Kind.INTEGER]
    if not whole:
        return True
    return all(row[i] is None or -_MOST_EXACT <= row[i] <= _MOST_EXACT for row in table.rows() for i in whole)


def _typed(values: Any, column: Column) -> Any:
    if column.kind is Kind.FLOAT or np.isnan(values).any():
        return values
    return values.astype(np.int64 if column.kind is Kind.INTEGER else np.bool_)


def _timed(values: list[Any], column: Column) -> list[Any]:
    if column.kind is not Kind.DATETIME:
        return values
    return [
        value if value is None or isinstance(value, datetime) else datetime.fromisoformat(value) for value in values
    ]
