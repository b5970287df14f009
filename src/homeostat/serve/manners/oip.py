"""The short way of the Open Inference Protocol: one tensor of all columns, as JSON or as bytes, for a model whose columns are floats."""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from homeostat.serve.answer import Answer
from homeostat.serve.decoder import Asked, colons
from homeostat.serve.exchange import Request, Response
from homeostat.serve.inference import HEADER_LENGTH, told
from homeostat.serve.lane import Lane
from homeostat.serve.manner import Batch, Manner
from homeostat.serve.table import Table, packed
from homeostat.serve.tensors import DTYPES, refuse_outputs
from homeostat.serve.validate import Rows
from homeostat.track.predictions import Predictions

Floats = npt.NDArray[np.float64]
_FLOATS = ("FP64", "FP32")


class _Tensor(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    shape: tuple[int, int]
    datatype: str
    data: list[float]


class _Nested(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    shape: tuple[int, int]
    datatype: str
    data: list[list[float]]


class _Size(msgspec.Struct, forbid_unknown_fields=True):
    binary_data_size: int


class _Behind(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    shape: tuple[int, int]
    datatype: str
    parameters: _Size


class _Wish(msgspec.Struct, forbid_unknown_fields=True):
    """What is asked beside the rows: `binary_data_output` and `binary_data` as in the binary tensor extension."""

    name: str
    parameters: dict[str, bool] = {}


_BEFORE_DATA = 4096  # bytes: names and the shape; what is longer goes the ordinary way


def _asking(tensor: type) -> Any:
    return msgspec.defstruct(
        "Asking",
        [("inputs", tuple[tensor]), ("outputs", list[_Wish], []), ("parameters", dict[str, bool], {})],  # type: ignore[valid-type]
        forbid_unknown_fields=True,
    )


_flat = msgspec.json.Decoder(_asking(_Tensor)).decode
_nested = msgspec.json.Decoder(_asking(_Nested)).decode
_behind = msgspec.json.Decoder(_asking(_Behind)).decode


def _read(lane: Lane, request: Request) -> tuple[Asked, Any] | None:
    """Return the rows and the wish; None where anything is unusual, or not as it should be."""
    if not lane.decoder.is_float:
        return None
    length = request.headers.get(HEADER_LENGTH)
    try:
        if length is None:
            decode = _flat if request.body.find(b"[[", 0, _BEFORE_DATA) < 0 else _nested
            asked, text, values = decode(request.body), request.body, None
        else:
            size = int(length) if length.isdecimal() and len(length) < 10 else len(request.body) + 1
            text, values = request.body[:size], request.body[size:]
            asked = _behind(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    tensor = asked.inputs[0]
    width = len(lane.decoder.signature.columns)
    if tensor.datatype not in _FLOATS or tensor.shape[1] != width or _fields(asked) != colons(text):
        return None
    wanted = [output.name for output in asked.outputs]
    if lane.model is None and "probabilities" in wanted:
        return None  # only a compiled model is known to give them
    refuse_outputs(wanted, lane.decoder.signature)
    matrix = _listed(tensor, width) if values is None else _sent(tensor, values)
    if matrix is None or matrix.shape != tensor.shape or not len(matrix) or not np.isfinite(matrix).all():
        return None
    nothing: list[Any] = [None] * len(matrix)
    table = Table.of_matrix(lane.decoder.signature.columns, matrix)
    return Asked(rows=Rows(table=table, keys=nothing, times=nothing)), asked


def _fields(asked: Any) -> int:
    """Return how many fields the JSON has, each with its colon, where none is there twice and no text has one."""
    wishes = sum(1 + bool(output.parameters) + len(output.parameters) for output in asked.outputs)
    sized = isinstance(asked.inputs[0], _Behind)
    return 5 + sized + bool(asked.outputs) + wishes + bool(asked.parameters) + len(asked.parameters)


def _listed(tensor: Any, width: int) -> Floats | None:
    rows = tensor.data if isinstance(tensor, _Nested) else [tensor.data]
    wanted = width if isinstance(tensor, _Nested) else tensor.shape[0] * width
    if any(len(row) != wanted for row in rows):
        return None
    matrix = packed(rows, wanted)
    if tensor.datatype == "FP32":
        with np.errstate(over="ignore"):  # what is beyond the range becomes infinite, and is refused as that
            matrix = matrix.astype(np.float32).astype(np.float64)
    return matrix.reshape(-1, width)


def _sent(tensor: Any, values: bytes) -> Floats | None:
    dtype = np.dtype(DTYPES[tensor.datatype]).newbyteorder("<")
    count = tensor.shape[0] * tensor.shape[1]
    if tensor.parameters.binary_data_size != len(values) or len(values) != count * dtype.itemsize or not count:
        return None
    with np.errstate(invalid="ignore"):  # a NaN that signals, which the ordinary way refuses or takes for null
        return np.frombuffer(values, dtype=dtype).reshape(tensor.shape).astype(np.float64)


def _tell(lane: Lane, request_id: str, batch: Batch, rows: slice, wish: Any) -> Response:
    scores = None if batch.answer.scores is None else batch.answer.scores[rows]
    predictions = Predictions(labels=batch.answer.labels[rows], scores=scores, classes=batch.answer.classes)
    answer = Answer(request_id=request_id, model=lane.route.model, version=lane.version, predictions=predictions)
    outputs = {output.name: output.parameters for output in wish.outputs}
    return told(answer, lane.decoder.signature, outputs=outputs, parameters=wish.parameters)


QUICK = Manner(_read, _tell)
