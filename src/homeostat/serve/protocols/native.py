"""Our own protocol: rows as JSON objects.

    POST /models/{model}/predict   {"rows": [{...}]} -> {"request_id", "model", "version", "predictions": [{"prediction", "probabilities"}]}
    POST /models/{model}/versions/{version}/predict   the same of one version that is routed
    POST /models/{model}/labels    {"labels": [{"request_id", "row", "value"} | {"key", "value"}]} -> {"accepted": n}, and "unsampled" where there are any;
                                   with or instead of "value", "groups": columns of watch.groups that the model does not have
    GET  /models, /models/{model}  routes and signature
    GET  /health, /health/live     503 until there is something to serve; 200 as long as the process lives
    GET  /metrics                  Prometheus

Errors: {"error": {"code", "message", "hint", "fields"}}. A 200 means that it is recorded.
"""

import asyncio
from typing import Any

from homeostat.core.errors import Conflict, InvalidInput
from homeostat.core.values import Json
from homeostat.serve.arrow.door import read_rows, told
from homeostat.serve.bodies import labels_body
from homeostat.serve.counts import counts_of
from homeostat.serve.decoder import Asked
from homeostat.serve.door import Desk, Door, Endpoint
from homeostat.serve.exchange import Request, Response
from homeostat.serve.exposition import exposition
from homeostat.serve.generation import Served
from homeostat.serve.headers import as_json
from homeostat.serve.labels import label_rows
from homeostat.serve.manners.native import QUICK
from homeostat.serve.questions import answered, version_of
from homeostat.serve.schemas import labels_schemas, predict_schemas
from homeostat.serve.wire import route_json, signature_json


async def predict(desk: Desk, request: Request) -> Response:
    """Predictions for rows, recorded before they are answered."""
    served = desk.plane.served(request.params["model"])
    return await _predicted(desk, request, served, version=None)


async def predict_version(desk: Desk, request: Request) -> Response:
    """Predictions of one version, whatever the route says."""
    served = desk.plane.served(request.params["model"], version_of(request.params["version"]))
    return await _predicted(desk, request, served, version=served.version)


async def _predicted(desk: Desk, request: Request, served: Served, *, version: int | None) -> Response:
    asked = await read_rows(desk, request, served.decoder)
    chosen = _chosen_id(request, asked)
    found = await answered(desk, request, served, asked.rows, version=version, request_id=chosen, key=asked.key)
    return await told(request, found, served.signature)


def _chosen_id(request: Request, asked: Asked) -> str | None:
    header = request.headers.get("x-request-id")
    if header is not None and asked.request_id not in (None, header):
        raise InvalidInput("the header X-Request-Id and the body's request_id differ", hint="give one of them")
    return header if header is not None else asked.request_id


async def labels(desk: Desk, request: Request) -> Response:
    """Take in what turned out true."""
    model = request.params["model"]
    given = labels_body(request.body)
    rows = label_rows(
        given,
        model=model,
        signature=desk.plane.signature(model),
        received=desk.clock.now(),
        max_labels=desk.settings.max_rows,
        idempotency_key=request.headers.get("idempotency-key"),
        new_id=desk.new_id,
        recording=desk.plane.recording,
    )
    if rows:
        await asyncio.get_running_loop().run_in_executor(None, desk.record.write, "labels", rows)
    unsampled = len(given) - len(rows)
    desk.plane.metrics.labelled(model, len(rows), unsampled=unsampled)
    return as_json({"accepted": len(rows), **({"unsampled": unsampled} if unsampled else {})})


async def models(desk: Desk, request: Request) -> Response:
    """Every model that is served, with its route."""
    del request
    return as_json({"models": {name: route_json(route) for name, route in desk.plane.routes.items()}})


async def model(desk: Desk, request: Request) -> Response:
    """A model's route, and what its champion takes and answers."""
    name = request.params["model"]
    route = desk.plane.route(name)
    signature: Any = None
    evaluated: str | None = None
    try:
        served = desk.plane.served(name)
        signature, evaluated = signature_json(served.signature), served.kind
    except Conflict:
        pass
    return as_json({"model": name, "route": route_json(route), "signature": signature, "evaluated": evaluated})


async def live(desk: Desk, request: Request) -> Response:
    """Whether the process lives."""
    del desk, request
    return as_json({"live": True})


async def health(desk: Desk, request: Request) -> Response:
    """Whether there is something to serve, and what."""
    del request
    routes = desk.plane.routes
    serves = any(route.champion is not None for route in routes.values())
    extra = desk.extra_health()
    said: Json = {"live": True, "ready": serves, "models": {n: route_json(r) for n, r in routes.items()}, **extra}
    return as_json(said, status=200 if said["ready"] else 503)


async def metrics(desk: Desk, request: Request) -> Response:
    """What all workers that share the port count, as Prometheus reads it."""
    del request
    snapshot, board = desk.plane.metrics.snapshot(), desk.scoreboard

    def told() -> bytes:
        if board is None:
            return exposition(counts_of(snapshot[1]))
        board.write(snapshot)  # so that no later sum, of whichever worker, is below this one
        return exposition(board.total())

    body = await asyncio.get_running_loop().run_in_executor(None, told)
    return Response(body=body, media_type="text/plain; version=0.0.4; charset=utf-8")


def _predicting(desk: Desk, model: str) -> Json:
    return predict_schemas(desk.plane.signature(model))


def _labelling(desk: Desk, model: str) -> Json:
    return labels_schemas(desk.plane.signature(model), desk.plane.recording.groups)


PROTOCOL = Door(
    name="native",
    endpoints=(
        Endpoint(
            method="POST",
            path="/models/{model}/predict",
            handler=predict,
            summary="Predict",
            schema=_predicting,
            quick=QUICK,
        ),
        Endpoint(
            method="POST",
            path="/models/{model}/versions/{version}/predict",
            handler=predict_version,
            summary="Predict with one version",
            schema=_predicting,
        ),
        Endpoint(
            method="POST",
            path="/models/{model}/labels",
            handler=labels,
            summary="Tell what turned out true",
            schema=_labelling,
        ),
        Endpoint(method="GET", path="/models/{model}", handler=model, summary="A model's route and signature"),
        Endpoint(method="GET", path="/models", handler=models, summary="The models served here"),
        Endpoint(method="GET", path="/health/live", handler=live, summary="Whether the process lives"),
        Endpoint(method="GET", path="/health", handler=health, summary="Whether there is something to serve"),
        Endpoint(
            method="GET", path="/metrics", handler=metrics, summary="Prometheus metrics, the sum over all workers"
        ),
    ),
)
