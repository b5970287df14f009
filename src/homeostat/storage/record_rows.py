"""Rows of the record: their columns, as a line of a segment, and read back."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import msgspec

from homeostat.core.errors import InvalidInput
from homeostat.core.values import Json
from homeostat.storage.bulk import apart, frame_of

if TYPE_CHECKING:
    import polars as pl

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIMES = ("received", "event_time")

SCHEMAS = {
    "predictions": {
        "request_id": "text",
        "row": "integer",
        "key": "text",
        "received": "time",
        "event_time": "time",
        "version": "integer",
        "route": "text",
        "status": "text",
        "latency_ms": "number",
        "features": "text",
        "prediction": "text",
        "scores": "numbers",
        "error": "text",
        "caller": "text",
        "trace": "text",
        "sample": "number",
        "params": "text",
    },
    "labels": {
        "request_id": "text",
        "row": "integer",
        "key": "text",
        "value": "text",
        "groups": "text",
        "received": "time",
        "event_time": "time",
        "label_id": "text",
    },
}
"""The columns of each kind, and what they hold. Polars, whose types these become, is imported where rows are read: who only writes has no need of it."""
VALUE = {"predictions": "prediction", "labels": "value"}
_COLUMNS = {kind: frozenset([*schema, "model"]) for kind, schema in SCHEMAS.items()}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
_encode = msgspec.json.Encoder().encode


def schema_of(kind: str) -> "dict[str, pl.DataType]":
    """Return the types of the columns of rows as they are read."""
    import polars as pl

    types: dict[str, pl.DataType] = {
        "text": pl.String(),
        "integer": pl.Int64(),
        "number": pl.Float64(),
        "numbers": pl.List(pl.Float64()),
        "time": pl.Datetime("us", "UTC"),
    }
    return {name: types[word] for name, word in SCHEMAS[kind].items()}


def kept_schema_of(kind: str) -> "dict[str, pl.DataType]":
    """Return the types of the columns of rows as they are kept: with their place in the order of writing."""
    import polars as pl

    return {"seq": pl.Int64(), **schema_of(kind)}


def identity_of(kind: str) -> "list[pl.Expr]":
    """Return what makes two rows one: the second is not shown."""
    import polars as pl

    if kind == "labels":
        return [pl.col("label_id")]
    of_shadow = pl.when(pl.col("route") == "shadow").then(pl.col("version"))
    return [pl.col("request_id"), pl.col("row"), pl.col("route"), of_shadow]


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


def rows_of(kind: str, blocks: Iterable[bytes]) -> "pl.DataFrame":
    """Return the rows that blocks of lines hold, with their `seq`."""
    import polars as pl

    stored = kept_schema_of(kind)
    wire = {name: pl.Int64() if name in _TIMES else dtype for name, dtype in stored.items()}
    single, many = apart(blocks)
    frame = pl.read_ndjson(BytesIO(single), schema=wire) if single.strip() else pl.DataFrame(schema=wire)
    if many:
        frame = pl.concat([frame, frame_of(many, wire)])
    return frame.with_columns(pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC") for name in _TIMES)


def decoded(texts: "pl.Series") -> "pl.Series":
    """Return JSON texts as the narrowest of booleans, integers, numbers, text that holds them all; nulls alone give a null column."""
    import polars as pl

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
