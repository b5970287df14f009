"""Bodies of the Open Inference Protocol, version 2, over REST: what is asked, and how it is told, with the binary tensor extension."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from homeostat.core.columns import Signature
from homeostat.core.errors import InvalidInput
from homeostat.core.values import Json
from homeostat.serve.answer import Answer
from homeostat.serve.bodies import keys_in, not_json, refuse_twice
from homeostat.serve.exchange import Request, Response
from homeostat.serve.tensors import Tensor, outputs_of, packed, shown

HEADER_LENGTH = "inference-header-content-length"
_DIGITS = re.compile("[0-9]{1,18}")


class Output(msgspec.Struct):
    name: str
    parameters: dict[str, Any] = {}


class Inference(msgspec.Struct):
    """The JSON part of a request."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[Output] = []
    parameters: dict[str, Any] = {}


_decode = msgspec.json.Decoder(Inference).decode


def asked_of(request: Request) -> Inference:
    """Return the request, its binary tensors cut from behind the JSON."""
    header = request.headers.get(HEADER_LENGTH)
    body = request.body
    size = len(body)
    if header is not None:
        if not _DIGITS.fullmatch(header) or int(header) > len(body):
            raise InvalidInput(
                f"Inference-Header-Content-Length is '{header[:20]}', the body has {len(body)} bytes",
                hint="give the length of the JSON part",
            )
        size = int(header)
    try:
        asked = _decode(body[:size])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        hint = 'send {"inputs": [{"name", "shape", "datatype", "data"}]}'
        raise not_json(body[:size], error, hint=hint, what="the body is no inference request") from error
    refuse_twice(body[:size], _keys(asked))
    at = size
    for tensor in asked.inputs:
        length = tensor.parameters.get("binary_data_size")
        if length is None:
            continue
        if type(length) is not int or not 0 <= length <= len(body) - at or tensor.data is not None:
            raise InvalidInput(
                f"input '{tensor.name[:100]}': binary_data_size is {shown(length)}, {len(body) - at} bytes are left",
                hint="send the bytes of the tensors behind the JSON, in its order, and no data beside them",
            )
        tensor.raw = body[at : at + length]
        at += length
    if at != len(body):
        raise InvalidInput(
            f"{len(body) - at} bytes behind the last tensor", hint="binary_data_size says how many are its own"
        )
    return asked


def _keys(asked: Inference) -> int:
    """Return how many fields the JSON has at least."""
    own = 1 + (asked.id is not None) + bool(asked.outputs)
    inputs = sum(3 + (tensor.data is not None) for tensor in asked.inputs)
    parameters = [asked.parameters, *(t.parameters for t in asked.inputs), *(o.parameters for o in asked.outputs)]
    return own + inputs + len(asked.outputs) + sum(1 + keys_in(each) for each in parameters if each)


def told(
    answer: Answer, signature: Signature, *, outputs: Mapping[str, Mapping[str, Any]], parameters: Mapping[str, Any]
) -> Response:
    """Return the response. `outputs`: those that are wanted (none: all), with their parameters; `parameters`: of the request."""
    found = outputs_of(answer.predictions, signature)
    all_binary = bool(parameters.get("binary_data_output"))
    listed: list[Json] = []
    behind: list[bytes] = []
    for name, own in (outputs or {each: {} for each in found}).items():
        datatype, shape, values = found[name]
        one: Json = {"name": name, "datatype": datatype, "shape": shape}
        if own.get("binary_data", all_binary):
            behind.append(packed(datatype, values))
            one["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            one["data"] = values.tolist() if isinstance(values, np.ndarray) else values
        listed.append(one)
    head = msgspec.json.encode(
        {"model_name": answer.model, "model_version": str(answer.version), "id": answer.request_id, "outputs": listed}
    )
    if not behind:
        return Response(body=head)
    return Response(
        body=b"".join([head, *behind]),
        media_type="application/octet-stream",
        headers=((HEADER_LENGTH, str(len(head))),),
    )
