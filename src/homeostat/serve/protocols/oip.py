"""The Open Inference Protocol, version 2, over REST, with the binary tensor extension: what KServe, Triton and MLServer speak."""

import re
from functools import partial
from typing import Any

import msgspec
import numpy as np

from homeostat.core.errors import HomeostatError, InvalidInput
from homeostat.core.records import Json
from homeostat.serve.answer import Answer
from homeostat.serve.beside import MOST_BYTES, MOST_ROWS, beside
from homeostat.serve.bodies import keys_in, not_json, refuse_twice
from homeostat.serve.door import Desk, Door, Endpoint
from homeostat.serve.exchange import Request, Response
from homeostat.serve.headers import as_json
from homeostat.serve.plane import Served
from homeostat.serve.questions import answered, said_id, version_of
from homeostat.serve.schemas import infer_schemas
from homeostat.serve.tensors import Tensor, datatype_of, label_type, outputs_of, packed, refuse_outputs, rows_of, shown
from homeostat.serve.validate import Rows

_HEADER_LENGTH = "inference-header-content-length"
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


async def server(desk: Desk, request: Request) -> Response:
    """The server's name, version and extensions."""
    del desk, request
    from importlib.metadata import version

    return as_json({"name": "homeostat", "version": version("homeostat"), "extensions": ["binary_tensor_data"]})


async def live(desk: Desk, request: Request) -> Response:
    """Whether the process lives."""
    del desk, request
    return as_json({"live": True})


async def ready(desk: Desk, request: Request) -> Response:
    """Whether there is a model to ask."""
    del request
    is_ready = any(route.champion is not None for route in desk.plane.routes.values())
    return as_json({"ready": is_ready}, status=200 if is_ready else 503)


async def model(desk: Desk, request: Request) -> Response:
    """What a model takes and answers."""
    served = _served(desk, request)
    signature = served.signature
    outputs: list[Json] = [{"name": "predict", "datatype": label_type(signature), "shape": [-1]}]
    if signature.classes:
        outputs.append({"name": "probabilities", "datatype": "FP64", "shape": [-1, len(signature.classes)]})
    return as_json(
        {
            "name": served.model,
            "versions": [str(version) for version in served.route.versions],
            "platform": f"homeostat_{served.kind}",
            "inputs": [{"name": c.name, "datatype": datatype_of(c), "shape": [-1]} for c in signature.columns],
            "outputs": outputs,
        }
    )


async def model_ready(desk: Desk, request: Request) -> Response:
    """Whether a model, or a version of it, can be asked."""
    served = _served(desk, request)
    return as_json({"name": served.model, "ready": True})


async def infer(desk: Desk, request: Request) -> Response:
    """Answers to tensors."""
    served = _served(desk, request)
    asked, rows = await beside(partial(_read, request, served), is_long=len(request.body) > MOST_BYTES)
    answer = await answered(
        desk,
        request,
        served,
        rows,
        version=served.version if "version" in request.params else None,
        request_id=said_id(asked.id),
        wants_scores=any(output.name == "probabilities" for output in asked.outputs),
    )
    return await beside(partial(_told, answer, asked, served), is_long=rows.table.height > MOST_ROWS)


def _read(request: Request, served: Served) -> tuple[Inference, Rows]:
    asked = asked_of(request)
    refuse_outputs([output.name for output in asked.outputs], served.signature)
    return asked, rows_of(served.decoder, asked.inputs)


def _served(desk: Desk, request: Request) -> Served:
    version = request.params.get("version")
    return desk.plane.served(request.params["model"], None if version is None else version_of(version))


def asked_of(request: Request) -> Inference:
    """Return the request, its binary tensors cut from behind the JSON."""
    header = request.headers.get(_HEADER_LENGTH)
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


def _told(answer: Answer, asked: Inference, served: Served) -> Response:
    outputs = outputs_of(answer.predictions, served.signature)
    wanted = asked.outputs or [Output(name) for name in outputs]
    all_binary = bool(asked.parameters.get("binary_data_output"))
    told: list[Json] = []
    behind: list[bytes] = []
    for output in wanted:
        datatype, shape, values = outputs[output.name]
        one: Json = {"name": output.name, "datatype": datatype, "shape": shape}
        if output.parameters.get("binary_data", all_binary):
            behind.append(packed(datatype, values))
            one["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            one["data"] = values.tolist() if isinstance(values, np.ndarray) else values
        told.append(one)
    head = msgspec.json.encode(
        {"model_name": answer.model, "model_version": str(answer.version), "id": answer.request_id, "outputs": told}
    )
    if not behind:
        return Response(body=head)
    return Response(
        body=b"".join([head, *behind]),
        media_type="application/octet-stream",
        headers=(("inference-header-content-length", str(len(head))),),
    )


def errors(error: HomeostatError) -> Json:
    """Return an error as this protocol has it: one sentence."""
    return {"error": error.message + (f" ({error.hint})" if error.hint else "")}


def _inferring(desk: Desk, model: str) -> Json:
    return infer_schemas(desk.plane.signature(model))


def _endpoint(method: str, path: str, handler: Any, summary: str) -> Endpoint:
    schema = _inferring if method == "POST" else None
    return Endpoint(method=method, path=path, handler=handler, summary=summary, errors=errors, schema=schema)


PROTOCOL = Door(
    name="oip",
    endpoints=(
        _endpoint("GET", "/v2", server, "OIP: the server"),
        _endpoint("GET", "/v2/health/live", live, "OIP: whether the process lives"),
        _endpoint("GET", "/v2/health/ready", ready, "OIP: whether there is a model"),
        *(
            _endpoint(method, f"/v2/models/{{model}}{version}{rest}", handler, f"OIP: {summary}")
            for version in ("", "/versions/{version}")
            for method, rest, handler, summary in (
                ("GET", "", model, "what a model takes and answers"),
                ("GET", "/ready", model_ready, "whether a model can be asked"),
                ("POST", "/infer", infer, "answers to tensors"),
            )
        ),
    ),
)
