"""Rows of the record: their columns, as a line of a segment, and read back."""

import re
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import msgspec
import polars as pl

from homeostat.core.errors import InvalidInput
from homeostat.core.values import Json
from homeostat.storage.bulk import apart, frame_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME = pl.Datetime("us", "UTC")
_TIMES = ("received", "event_time")

SCHEMAS: dict[str, dict[str, pl.DataType]] = {
    "predictions": {
        "request_id": pl.String(),
        "row": pl.Int64(),
        "key": pl.String(),
        "received": _TIME,
        "event_time": _TIME,
        "version": pl.Int64(),
        "route": pl.String(),
        "status": pl.String(),
        "latency_ms": pl.Float64(),
        "features": pl.String(),
        "prediction": pl.String(),
        "scores": pl.List(pl.Float64()),
        "error": pl.String(),
        "caller": pl.String(),
        "trace": pl.String(),
        "sample": pl.Float64(),
        "params": pl.String(),
    },
    "labels": {
        "request_id": pl.String(),
        "row": pl.Int64(),
        "key": pl.String(),
        "value": pl.String(),
        "groups": pl.String(),
        "received": _TIME,
        "event_time": _TIME,
        "label_id": pl.String(),
    },
}
VALUE = {"predictions": "prediction", "labels": "value"}
IDENTITY = {
    "predictions": [
        pl.col("request_id"),
        pl.col("row"),
        pl.col("route"),
        pl.when(pl.col("route") == "shadow").then(pl.col("version")),
    ],
    "labels": [pl.col("label_id")],
}
_COLUMNS = {kind: frozenset([*schema, "model"]) for kind, schema in SCHEMAS.items()}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
_encode = msgspec.json.Encoder().encode


def columns_of(kind: str) -> frozenset[str]:
    """Return the names that a row of that kind may have; raise InvalidInput where there is no such kind."""
    if kind not in _COLUMNS:
        raise InvalidInput(f"there is no record of '{kind}'", hint=f"known: {', '.join(SCHEMAS)}")
    return _COLUMNS[kind]


def model_of(name: Any) -> str:
    """Return the name if it is one (it becomes a folder's); raise InvalidInput otherwise."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is not a model's name", hint="letters, digits, - and _, a letter first")
    return name


def line_of(kind: str, row: Json, *, seq: int) -> bytes:
    """Return a row as a line of a segment, without its model; raise InvalidInput where it does not fit."""
    columns = columns_of(kind)
    if not columns.issuperset(row):
        raise InvalidInput(
            f"the record of {kind} has no column {sorted(set(row) - columns)}", hint=f"known: {sorted(columns)}"
        )
    if row.get("received") is None:
        raise InvalidInput(f"a row of {kind} needs the time at which it was received")
    line = {**row, "seq": seq}
    del line["model"]
    for name in _TIMES:
        if line.get(name) is not None:
            line[name] = _microseconds(line[name])
    value = VALUE[kind]
    if line.get(value) is not None:
        text = _encode(line[value]).decode()
        line[value] = None if text == "null" else text
    if isinstance(line.get("features"), dict):
        line["features"] = _encode(line["features"]).decode()
    return _encode(line) + b"\n"


def _microseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise InvalidInput(f"the time {moment.isoformat()} has no time zone", hint="times in the record are UTC")
    return (moment - _EPOCH) // _MICROSECOND


def rows_of(kind: str, lines: bytes) -> pl.DataFrame:
    """Return the rows that lines of segments hold, with their `seq`."""
    stored = {"seq": pl.Int64(), **SCHEMAS[kind]}
    if not lines:
        return pl.DataFrame(schema=stored)
    wire = {name: pl.Int64() if name in _TIMES else dtype for name, dtype in stored.items()}
    single, many = apart(lines)
    frame = pl.read_ndjson(BytesIO(single), schema=wire) if single.strip() else pl.DataFrame(schema=wire)
    if many:
        frame = pl.concat([frame, frame_of(many, wire)])
    return frame.with_columns(pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC") for name in _TIMES)


def decoded(texts: pl.Series) -> pl.Series:
    """Return JSON texts as the narrowest of booleans, integers, numbers, text that holds them all; nulls alone give a null column."""
    known = texts.drop_nulls()
    if known.is_empty():
        return texts.cast(pl.Null)
    if known.is_in(["true", "false"]).all():
        return texts == "true"
    if known.str.contains(r"^-?\d{1,18}$").all():
        return texts.cast(pl.Int64)
    numbers = texts.cast(pl.Float64, strict=False)
    if numbers.null_count() == texts.null_count():
        return numbers
    return texts.str.json_decode(pl.String())
