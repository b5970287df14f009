"""Tensors of the Open Inference Protocol, version 2: as JSON, as bytes, and as the rows of a model.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol (REST, and the binary tensor extension of Triton).
"""

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.errors import InvalidInput, NotFound, near
from homeostat.serve.decoder import Decoder
from homeostat.serve.table import Table
from homeostat.serve.validate import Rows, described
from homeostat.track.predictions import Predictions

Array = npt.NDArray[Any]
DTYPES: Mapping[str, Any] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
_OF_KIND = {
    Kind.INTEGER: "INT64",
    Kind.FLOAT: "FP64",
    Kind.BOOLEAN: "BOOL",
    Kind.CATEGORY: "BYTES",
    Kind.TEXT: "BYTES",
    Kind.DATETIME: "BYTES",
}
_MOST_TENSORS = 4096


class Tensor(msgspec.Struct, kw_only=True):
    """An input as it came. `data`: flat or nested values; None where `raw` has them."""

    name: str
    shape: list[int]
    datatype: str
    data: Any = None
    parameters: dict[str, Any] = {}
    raw: bytes | None = None


def datatype_of(column: Column) -> str:
    """Return the datatype in which a column is best sent: numbers that may be null as FP64, where NaN is null."""
    if column.nullable and column.kind in (Kind.INTEGER, Kind.BOOLEAN):
        return "FP64"
    return _OF_KIND[column.kind]


def label_type(signature: Signature) -> str:
    """Return the datatype of the output `predict`."""
    if not signature.classes:
        return "FP64"
    return {bool: "BOOL", int: "INT64", float: "FP64"}.get(type(signature.classes[0]), "BYTES")


def rows_of(decoder: Decoder, tensors: Sequence[Tensor]) -> Rows:
    """Return the rows that tensors are: one for each column, or one of all columns where all are numbers.

    Raises InvalidInput naming the tensor: a wrong datatype, shape or number of values, one that is missing, twice or not known.
    """
    columns = decoder.signature.columns
    if len(tensors) > _MOST_TENSORS:
        raise InvalidInput(f"{len(tensors)} inputs", hint=f"the model has {len(columns)} columns")
    if not tensors:
        raise InvalidInput("there are no inputs", hint=f"send {', '.join(repr(c.name) for c in columns[:5])}")
    names = [tensor.name for tensor in tensors]
    known = {column.name for column in columns}
    if len(tensors) == 1 and (names[0] not in known or (len(tensors[0].shape) == 2 and tensors[0].shape[1] > 1)):
        return _of_matrix(decoder, tensors[0])
    _refuse_names(decoder, names)
    values = {tensor.name: _column(tensor) for tensor in tensors}
    height = len(values[names[0]])
    for name, each in values.items():
        if len(each) != height:
            raise InvalidInput(
                f"input '{name}' has {len(each)} values, '{names[0]}' has {height}", hint="send one for each row"
            )
    decoder.refuse_count(height)
    quick = _quick(decoder.signature, values, height)
    if quick is not None:
        return quick
    listed = {name: _listed(each) for name, each in values.items()}
    return decoder.rows([dict(zip(listed, row, strict=True)) for row in zip(*listed.values(), strict=True)])


def _refuse_names(decoder: Decoder, names: Sequence[str]) -> None:
    """Raise InvalidInput where a column is there twice, is missing or not known; it names both of the last two, one may be meant for the other."""
    seen = set()
    for name in names:
        if name in seen:
            raise InvalidInput(f"input '{name[:100]}' is there twice", hint="send each column once")
        seen.add(name)
    missing = [name for name in decoder.signature.names if name not in seen]
    foreign = [name for name in names if name not in decoder.known]
    if missing:
        beside = f", and '{foreign[0][:100]}' is no column of the model" if foreign else ""
        raise InvalidInput(f"input '{missing[0]}' is missing{beside}", hint=near(missing[0], foreign or names))
    if foreign:
        hint = near(foreign[0], decoder.signature.names)
        raise InvalidInput(f"input '{foreign[0][:100]}' is no column of the model", hint=hint)


def _quick(signature: Signature, values: Mapping[str, Array | list[Any]], height: int) -> Rows | None:
    """Return the rows of arrays that are numbers throughout, without looking at single values; None where that will not do."""
    if values.keys() != {column.name for column in signature.columns} or not height:
        return None
    arrays = []
    for column in signature.columns:
        each = values[column.name]
        if column.kind is not Kind.FLOAT or not isinstance(each, np.ndarray) or each.dtype.kind not in "fiu":
            return None
        with np.errstate(invalid="ignore"):  # a NaN that signals is one like any other
            numbers = each.astype(np.float64)
        if not np.isfinite(numbers).all() and (not column.nullable or np.isinf(numbers).any()):
            return None
        arrays.append(numbers)
    nothing: list[Any] = [None] * height
    return Rows(table=Table.of_arrays(signature.columns, arrays, height=height), keys=nothing, times=nothing)


def _of_matrix(decoder: Decoder, tensor: Tensor) -> Rows:
    columns = decoder.signature.columns
    known = ", ".join(column.name for column in columns[:5])
    if len(tensor.shape) != 2 or tensor.shape[1] != len(columns):
        name = tensor.name[:100]
        known_as = "which is one column" if tensor.name in decoder.known else "and no column has that name"
        raise InvalidInput(
            f"input '{name}' has the shape {shown(tensor.shape)}, {known_as}",
            hint=f"send one input for each of {known}, or one of shape [rows, {len(columns)}]",
        )
    flat = _flat(tensor)
    if tensor.datatype == "BYTES":
        raise InvalidInput(f"input '{tensor.name[:100]}' holds BYTES", hint=f"send one input for each of {known}")
    height = tensor.shape[0]
    decoder.refuse_count(height)
    named = {column.name: flat[at :: len(columns)] for at, column in enumerate(columns)}
    quick = _quick(decoder.signature, named, height)
    if quick is not None:
        return quick
    listed = [_listed(each) for each in named.values()]
    return decoder.rows([dict(zip(named, row, strict=True)) for row in zip(*listed, strict=True)])


def _listed(values: Array | list[Any]) -> list[Any]:
    """Return plain values; NaN, which JSON lacks, is null."""
    if isinstance(values, list):
        return values
    plain: list[Any] = values.tolist()
    return [None if isinstance(value, float) and math.isnan(value) else value for value in plain]


def _column(tensor: Tensor) -> Array | list[Any]:
    """Return the values of a tensor that is one column."""
    if len(tensor.shape) == 2 and tensor.shape[1] != 1:
        raise InvalidInput(
            f"input '{tensor.name[:100]}' has the shape {shown(tensor.shape)}, and is one column",
            hint="a column is of shape [rows] or [rows, 1]",
        )
    return _flat(tensor)


def shown(value: Any) -> str:
    """Return a value of a client in short; what holds others is not looked into, however deep it is."""
    if isinstance(value, list) and len(value) <= 8 and all(type(each) is int for each in value):
        return f"{value!r:.100}"
    return described(value) if isinstance(value, list | dict) else f"{value!r:.40}"


def _flat(tensor: Tensor) -> Array | list[Any]:
    """Return the tensor's values, row by row, their number held against the shape."""
    if any(type(size) is not int or size < 0 for size in tensor.shape) or not 1 <= len(tensor.shape) <= 2:
        raise InvalidInput(
            f"input '{tensor.name[:100]}' has the shape {shown(tensor.shape)}",
            hint="a shape is [rows] or [rows, columns]",
        )
    count = math.prod(tensor.shape)
    if tensor.datatype == "BYTES":
        found: Array | list[Any] = _texts(tensor)
    elif tensor.datatype in DTYPES:
        found = _numbers(tensor)
    else:
        raise InvalidInput(
            f"input '{tensor.name[:100]}' has the datatype '{tensor.datatype[:40]}'",
            hint=near(tensor.datatype, [*DTYPES, "BYTES"]),
        )
    if len(found) != count:
        raise InvalidInput(
            f"input '{tensor.name[:100]}' has {len(found)} values, its shape {shown(tensor.shape)} says {count!s:.40}",
            hint="send as many as the shape says",
        )
    return found


def _numbers(tensor: Tensor) -> Array | list[Any]:
    dtype = np.dtype(DTYPES[tensor.datatype])
    if tensor.raw is not None:
        if len(tensor.raw) % dtype.itemsize:
            raise InvalidInput(
                f"input '{tensor.name[:100]}' has {len(tensor.raw)} bytes, a {tensor.datatype} takes {dtype.itemsize}",
                hint="send little-endian values, row by row",
            )
        return np.frombuffer(tensor.raw, dtype=dtype.newbyteorder("<"))
    values = _unnested(tensor)
    wanted = (bool,) if tensor.datatype == "BOOL" else (int, float) if tensor.datatype.startswith("FP") else (int,)
    for value in values:
        if value is not None and type(value) not in wanted:
            raise InvalidInput(
                f"input '{tensor.name[:100]}' is {tensor.datatype}, and holds {shown(value)}", hint="send plain numbers"
            )
    if None in values and dtype.kind == "f":
        values = [math.nan if value is None else value for value in values]  # as in raw bytes
    given = [value for value in values if value is not None]
    try:
        with np.errstate(over="ignore"):  # what is beyond the range becomes infinite, and is refused as that
            found = np.array(given, dtype=dtype)
    except (OverflowError, ValueError) as error:
        raise InvalidInput(
            f"input '{tensor.name[:100]}' holds what is no {tensor.datatype}: {error}", hint="use INT64 or FP64"
        ) from error
    return found if len(given) == len(values) else values


def _texts(tensor: Tensor) -> list[Any]:
    if tensor.raw is None:
        values = _unnested(tensor)
        for value in values:
            if value is not None and not isinstance(value, str):
                raise InvalidInput(
                    f"input '{tensor.name[:100]}' is BYTES, and holds {shown(value)}", hint="send strings"
                )
        return values
    found: list[Any] = []
    at, raw = 0, tensor.raw
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "little")
        if at + 4 + size > len(raw) or at + 4 > len(raw):
            raise InvalidInput(
                f"input '{tensor.name[:100]}' ends within a string",
                hint="each string has its length before it, in four bytes",
            )
        try:
            found.append(raw[at + 4 : at + 4 + size].decode())
        except UnicodeDecodeError as error:
            raise InvalidInput(
                f"input '{tensor.name[:100]}' holds bytes that are no UTF-8", hint="send text"
            ) from error
        at += 4 + size
    return found


def _unnested(tensor: Tensor) -> list[Any]:
    data = tensor.data
    if not isinstance(data, list):
        raise InvalidInput(f"input '{tensor.name[:100]}' has no data", hint="send a list of values")
    if len(tensor.shape) == 2 and data and all(isinstance(row, list) for row in data):
        wrong = next((at for at, row in enumerate(data) if len(row) != tensor.shape[1]), None)
        if wrong is not None:
            raise InvalidInput(
                f"input '{tensor.name[:100]}' has {len(data[wrong])} values in row {wrong}, its shape {shown(tensor.shape)} says {tensor.shape[1]!s:.40}",
                hint="send as many as the shape says",
            )
        return [value for row in data for value in row]
    return data


def output_names(signature: Signature) -> list[str]:
    """Return the names of the outputs; a version that gives no probabilities has the first only."""
    return ["predict", "probabilities"] if signature.classes else ["predict"]


def refuse_outputs(wanted: Sequence[str], signature: Signature) -> None:
    """Raise NotFound for an output that no version has, InvalidInput for one that is asked for twice."""
    known = output_names(signature)
    for at, name in enumerate(wanted):
        if name not in known:
            raise NotFound(f"no output '{name[:100]}'", hint=f"known: {', '.join(known)}")
        if name in wanted[:at]:
            raise InvalidInput(f"output '{name}' is asked for twice", hint="ask for each once")


def outputs_of(predictions: Predictions, signature: Signature) -> dict[str, tuple[str, list[int], Array | list[str]]]:
    """Return the outputs by name: datatype, shape and values. Labels are `predict`, scores `probabilities`."""
    labels = predictions.labels
    kind = (
        "FP64"
        if signature.task is Task.REGRESSION
        else {"b": "BOOL", "i": "INT64", "f": "FP64"}.get(labels.dtype.kind, "BYTES")
    )
    values: Array | list[str] = (
        [str(label) for label in labels.tolist()] if kind == "BYTES" else labels.astype(DTYPES[kind])
    )
    found: dict[str, tuple[str, list[int], Array | list[str]]] = {"predict": (kind, [len(labels)], values)}
    if predictions.scores is not None:
        found["probabilities"] = ("FP64", list(predictions.scores.shape), predictions.scores.ravel())
    return found


def packed(datatype: str, values: Array | list[str]) -> bytes:
    """Return an output as bytes: little-endian numbers, or strings each behind its length."""
    if datatype == "BYTES":
        texts = [str(value).encode() for value in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    assert isinstance(values, np.ndarray)
    return values.astype(values.dtype.newbyteorder("<")).tobytes()
