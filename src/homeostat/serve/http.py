"""Inference over HTTP.

    POST /models/{model}/predict   {"rows": [{...}]} -> {"request_id", "model", "version", "predictions": [{"prediction", "probabilities"}]}
    POST /models/{model}/labels    {"labels": [{"request_id", "row", "value"} | {"key", "value"}]} -> {"accepted": n}
    GET  /models, /models/{model}  routes and signature
    GET  /health, /health/live     503 until there is something to serve; 200 as long as the process lives
    GET  /metrics                  Prometheus

Errors: {"error": {"code", "message", "hint", "fields"}}. A 200 means that it is on the disk.
"""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Path

from homeostat.core.duration import size_bytes
from homeostat.core.errors import Conflict, HomeostatError, InvalidInput
from homeostat.core.ports import Clock
from homeostat.core.records import Json
from homeostat.serve.border import Handler, Hosts, as_json, guarded, read_body, refused_by_routing
from homeostat.serve.labels import label_rows
from homeostat.serve.plane import Plane, PredictionFailed, Writes
from homeostat.serve.request_ids import RequestIds
from homeostat.serve.settings import ServeSettings
from homeostat.serve.wire import answer_json, labels_body, predict_body, route_json, signature_json


def build_app(
    plane: Plane,
    *,
    record: Writes,
    settings: ServeSettings,
    clock: Clock,
    extra_health: Callable[[], Json] = dict,
    new_id: Callable[[], str] = lambda: uuid4().hex,
) -> Starlette:
    """Return the ASGI application. What `extra_health` returns is added to `/health`; its `ready`, if it has one, decides."""
    service = _Service(plane, record=record, settings=settings, clock=clock, extra_health=extra_health, new_id=new_id)
    hosts = Hosts(settings.host)

    def path(pattern: str, handler: Handler, method: str) -> Path:
        def count(status: int) -> None:
            plane.metrics.requests.labels(pattern, str(status)).inc()

        return Path(pattern, guarded(handler, hosts=hosts, count=count), methods=[method])

    app = Starlette(
        routes=[
            path("/models/{model}/predict", service.predict, "POST"),
            path("/models/{model}/labels", service.labels, "POST"),
            path("/models/{model}", service.model, "GET"),
            path("/models", service.models, "GET"),
            path("/health/live", service.live, "GET"),
            path("/health", service.health, "GET"),
            path("/metrics", service.metrics, "GET"),
        ],
        exception_handlers={HTTPException: refused_by_routing(lambda: app.routes, hosts=hosts)},
    )
    return app


class _Service:
    """Each handler: read the request, ask the plane in a thread (so that the event loop lives), render."""

    def __init__(
        self,
        plane: Plane,
        *,
        record: Writes,
        settings: ServeSettings,
        clock: Clock,
        extra_health: Callable[[], Json],
        new_id: Callable[[], str],
    ) -> None:
        self._plane = plane
        self._record = record
        self._clock = clock
        self._extra_health = extra_health
        self._new_id = new_id
        self._most_bytes = size_bytes(settings.max_body)
        self._max_rows = settings.max_rows
        self._request_ids = RequestIds()

    async def predict(self, request: Request) -> Response:
        body = await read_body(request, most_bytes=self._most_bytes)
        model, header = request.path_params["model"], request.headers.get("x-request-id")
        return await run_in_threadpool(self._predict, model, body, header)

    def _predict(self, model: str, body: bytes, header: str | None) -> Response:
        asked = predict_body(body)
        if header is not None and asked.request_id not in (None, header):
            raise InvalidInput("the header X-Request-Id and the body's request_id differ", hint="give one of them")
        chosen = header if header is not None else asked.request_id
        answer = partial(self._plane.answer, model, asked.rows, key=asked.key)
        if chosen is None:
            return as_json(answer_json(answer(request_id=self._new_id())))
        self._plane.route(model)  # an unknown model uses up no id
        is_new = self._request_ids.take(model, chosen, body)
        try:
            found = answer(request_id=chosen)
        except PredictionFailed:
            raise  # recorded: the id is used
        except HomeostatError:
            if is_new:
                self._request_ids.release(model, chosen)
            raise
        return as_json(answer_json(found))

    async def labels(self, request: Request) -> Response:
        body = await read_body(request, most_bytes=self._most_bytes)
        model, key = request.path_params["model"], request.headers.get("idempotency-key")
        return as_json({"accepted": await run_in_threadpool(self._labels, model, body, key)})

    def _labels(self, model: str, body: bytes, idempotency_key: str | None) -> int:
        signature = self._plane.signature(model)
        rows = label_rows(
            labels_body(body),
            model=model,
            signature=signature,
            received=self._clock.now(),
            max_labels=self._max_rows,
            idempotency_key=idempotency_key,
            new_id=self._new_id,
        )
        self._record.write("labels", rows)
        self._plane.metrics.labels.labels(model).inc(len(rows))
        return len(rows)

    async def models(self, request: Request) -> Response:  # noqa: ARG002 - the shape of a handler
        return as_json({"models": {name: route_json(route) for name, route in self._plane.routes.items()}})

    async def model(self, request: Request) -> Response:
        name = request.path_params["model"]
        route = self._plane.route(name)
        try:
            signature: Any = signature_json(self._plane.signature(name))
        except Conflict:
            signature = None
        return as_json({"model": name, "route": route_json(route), "signature": signature})

    async def live(self, request: Request) -> Response:  # noqa: ARG002 - the shape of a handler
        return as_json({"live": True})

    async def health(self, request: Request) -> Response:  # noqa: ARG002 - the shape of a handler
        routes = self._plane.routes
        serves = any(route.champion is not None for route in routes.values())
        extra = await run_in_threadpool(self._extra_health)
        told = {"live": True, "ready": serves, "models": {n: route_json(r) for n, r in routes.items()}, **extra}
        return as_json(told, status=200 if told["ready"] else 503)

    async def metrics(self, request: Request) -> Response:  # noqa: ARG002 - the shape of a handler
        return Response(self._plane.metrics.text(), media_type="text/plain; version=0.0.4")
