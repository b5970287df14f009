"""The Open Inference Protocol, version 2, over REST, with the binary tensor extension: what KServe, Triton and MLServer speak."""

from functools import partial
from typing import Any

from homeostat.core.errors import HomeostatError
from homeostat.core.values import Json
from homeostat.serve.beside import MOST_BYTES, MOST_ROWS, beside
from homeostat.serve.door import Desk, Door, Endpoint
from homeostat.serve.exchange import Request, Response
from homeostat.serve.generation import Served
from homeostat.serve.headers import as_json
from homeostat.serve.inference import Inference, asked_of, told
from homeostat.serve.manners.oip import QUICK
from homeostat.serve.questions import answered, said_id, version_of
from homeostat.serve.schemas import infer_schemas
from homeostat.serve.tensors import datatype_of, label_type, refuse_outputs, rows_of
from homeostat.serve.validate import Rows


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
    tell = partial(
        told,
        answer,
        served.signature,
        outputs={output.name: output.parameters for output in asked.outputs},
        parameters=asked.parameters,
    )
    return await beside(tell, is_long=rows.table.height > MOST_ROWS)


def _read(request: Request, served: Served) -> tuple[Inference, Rows]:
    asked = asked_of(request)
    refuse_outputs([output.name for output in asked.outputs], served.signature)
    return asked, rows_of(served.decoder, asked.inputs)


def _served(desk: Desk, request: Request) -> Served:
    version = request.params.get("version")
    return desk.plane.served(request.params["model"], None if version is None else version_of(version))


def errors(error: HomeostatError) -> Json:
    """Return an error as this protocol has it: one sentence."""
    return {"error": error.message + (f" ({error.hint})" if error.hint else "")}


def _inferring(desk: Desk, model: str) -> Json:
    return infer_schemas(desk.plane.signature(model))


def _endpoint(method: str, path: str, handler: Any, summary: str) -> Endpoint:
    schema = _inferring if method == "POST" else None
    quick = QUICK if handler is infer and "{version}" not in path else None
    return Endpoint(
        method=method, path=path, handler=handler, summary=summary, errors=errors, schema=schema, quick=quick
    )


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
