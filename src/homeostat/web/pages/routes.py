"""Where the pages are, what they are asked with, and how an answer becomes a page where a browser asks.

`/` shows all models, `/models/{model}/watch?last=N` one of them by its newest windows; their JSON twins are `/api/v1/status` and `watch.json`.
"""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from homeostat.app.status import as_json, status
from homeostat.app.watched import Watched, watched
from homeostat.app.wiring import House
from homeostat.core.errors import InvalidInput
from homeostat.serve.border import Handler, Hosts, guarded

LAST, MOST = 30, 500
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, not bound
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def routes(house: House, *, hosts: Hosts) -> list[Route]:
    """Return the routes of all pages, to be put behind `web.safety`."""

    def route(path: str, handler: Callable[[House, Request], Awaitable[Response]], *, is_page: bool = True) -> Route:
        answer = guarded(partial(handler, house), hosts=hosts, count=lambda _: None)
        return Route(path, as_page(answer) if is_page else answer, methods=["GET"])

    return [
        route("/", overview),
        route("/models/{model:path}/watch", watch),
        route("/models/{model:path}/watch.json", watch_json, is_page=False),
        route("/pages/style.css", style, is_page=False),
    ]


async def overview(house: House, request: Request) -> Response:
    """All models, what is wrong, and what to do next."""
    from homeostat.web.pages import render

    def page() -> str:
        own = house.project
        with house.store.read() as tx:
            incidents, cycles = tx.incidents.recent(own.model, limit=10), tx.cycles.recent(limit=10)
        here = str(request.base_url)
        inference = f"http://{_host(house, request)}:{own.serve.port}/"
        return render.overview(
            status(house), project=own, incidents=incidents, cycles=cycles, here=here, inference=inference
        )

    return HTMLResponse(await run_in_threadpool(page), headers=_HEADERS)


async def watch(house: House, request: Request) -> Response:
    """What the windows of a model showed."""
    from homeostat.web.pages import render

    last = _last(request)

    def page() -> str:
        found = _watched(house, request, last)
        return render.watch(found, is_own=found.status.model == house.project.model, last=last)

    return HTMLResponse(await run_in_threadpool(page), headers=_HEADERS)


async def watch_json(house: House, request: Request) -> Response:
    """The same for programs."""
    last = _last(request)
    return JSONResponse(await run_in_threadpool(lambda: _as_json(_watched(house, request, last))))


async def style(_house: House, _request: Request) -> Response:
    """The style sheet."""
    from homeostat.web.pages import render

    return Response(await run_in_threadpool(render.style), media_type="text/css", headers=_HEADERS)


def as_page(handler: Handler) -> Handler:
    """Return the handler with its errors as pages where a browser asks."""

    async def handle(request: Request) -> Response:
        answer = await handler(request)
        if answer.status_code < 400 or "text/html" not in request.headers.get("accept", ""):
            return answer
        from homeostat.web.pages import render

        told = json.loads(bytes(answer.body))["error"]
        text = render.error(status=answer.status_code, message=told["message"], hint=told["hint"])
        return HTMLResponse(text, status_code=answer.status_code, headers=_HEADERS)

    return handle


def _watched(house: House, request: Request, last: int) -> Watched:
    return watched(house, request.path_params["model"], last=last)


def _last(request: Request) -> int:
    text = request.query_params.get("last", str(LAST))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) and 1 <= int(text) <= MOST):
        raise InvalidInput(f"last is no number from 1 to {MOST}", hint=f"as in ?last={LAST}")
    return int(text)


def _host(house: House, request: Request) -> str:
    """Return the host of the other server: that of the settings, or where it listens everywhere the one that this was asked by."""
    host = house.project.serve.host
    if host.strip("[]") in _EVERYWHERE:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or host
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _as_json(found: Watched) -> dict[str, Any]:
    from homeostat.watch.answered import answers_of, told

    return {
        "status": as_json(found.status),
        "windows": [
            {
                "start": one.window_start.isoformat(),
                "end": one.window_end.isoformat(),
                "state": one.state,
                "version": one.body["version"],
                "verdict": one.body["verdict"],
                "calibration": told(answers_of(one)),
            }
            for one in found.windows
        ],
        "together": told(found.together) | {"reliability": msgspec.to_builtins(found.together.reliability)}
        if found.together is not None
        else None,
        "incidents": [msgspec.to_builtins(one) for one in found.incidents],
        "cycles": [one.cycle_id for one in found.cycles],
    }
