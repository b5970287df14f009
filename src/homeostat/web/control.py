"""The control process: the loop in a thread, and a small HTTP door beside it. `python -m homeostat.web.control PROJECT [--replay]`."""

import argparse
import json
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from homeostat.app.status import as_json, status
from homeostat.app.wiring import House
from homeostat.core.errors import HomeostatError, InvalidInput
from homeostat.core.ids import derived_id
from homeostat.core.records import Cycle
from homeostat.retrain.requests import approve, ask
from homeostat.serve.border import Handler, Hosts, guarded, refused_by_routing
from homeostat.web.safety import Safety, middleware_options

if TYPE_CHECKING:
    from homeostat.app.loop import Loop

log = logging.getLogger(__name__)

_MOST_BODY = 1_000_000
App = Callable[[Any, Any, Any], Awaitable[None]]


def build_app(house: House, *, is_ready: Callable[[], bool] = lambda: True) -> Starlette:
    """Return the control API of a project: /health, /metrics, /api/v1/status, /api/v1/cycles."""

    async def health(_request: Request) -> Response:
        await run_in_threadpool(lambda: status(house))
        return JSONResponse({"status": "ok", "loop": "running" if is_ready() else "starting"})

    async def told(_request: Request) -> Response:
        found = await run_in_threadpool(lambda: status(house))
        return JSONResponse({"models": [as_json(one) for one in found]})

    async def metrics(_request: Request) -> Response:
        from homeostat.web.metrics import render

        return Response(await run_in_threadpool(lambda: render(house)), media_type="text/plain; version=0.0.4")

    async def cycles(_request: Request) -> Response:
        def read() -> list[Cycle]:
            with house.store.read() as tx:
                return tx.cycles.recent()

        return JSONResponse({"cycles": [_cycle(one) for one in await run_in_threadpool(read)]})

    async def start(request: Request) -> Response:
        body = await _body(request)
        because = str(body.get("because") or "asked for over HTTP")
        key = request.headers.get("idempotency-key")
        options = _options(body)
        now = house.clock.now()
        cycle = await run_in_threadpool(
            lambda: ask(
                store=house.store,
                model=house.project.model,
                cycle_id=derived_id("cycle", house.project.model, "manual", key or now.isoformat()),
                trigger="manual",
                because=because,
                actor=house.actor,
                now=now,
                options=options,
            )
        )
        return JSONResponse(_cycle(cycle), status_code=202)

    async def decide(request: Request) -> Response:
        body = await _body(request)
        approved = body.get("approved")
        if not isinstance(approved, bool) or not isinstance(body.get("by"), str):
            raise InvalidInput("an approval says who and what", hint='{"approved": true, "by": "ann", "reason": "..."}')
        event = await run_in_threadpool(
            lambda: approve(
                store=house.store,
                cycle_id=request.path_params["cycle_id"],
                approved=approved,
                actor=body["by"],
                now=house.clock.now(),
                reason=str(body.get("reason", "")),
            )
        )
        return JSONResponse({"event": event.kind, "by": event.actor})

    hosts = Hosts(house.project.serve.host)

    def path(pattern: str, handler: Handler, method: str = "GET") -> Route:
        return Route(pattern, guarded(handler, hosts=hosts, count=lambda _: None), methods=[method])

    app = Starlette(
        routes=[
            path("/health", health),
            path("/metrics", metrics),
            path("/api/v1/status", told),
            path("/api/v1/cycles", cycles),
            path("/api/v1/cycles", start, "POST"),
            path("/api/v1/cycles/{cycle_id}/approval", decide, "POST"),
        ],
        exception_handlers={HTTPException: refused_by_routing(lambda: app.routes, hosts=hosts)},
    )
    return app


def with_tracking(app: Starlette, house: House) -> App:
    """Return the control API with the tracking API that `mlflow` clients speak beside it."""
    from homeostat.web.mlflow_api.app import MlflowApi, belongs
    from homeostat.web.mlflow_api.endpoint import Desk

    desk = Desk(store=house.store, blobs=house.blobs, clock=house.clock, actor=house.actor, house=house)
    api = Safety(MlflowApi(desk), **middleware_options(house.project.serve.host))

    async def both(scope: Any, receive: Any, send: Any) -> None:
        await (api if scope["type"] == "http" and belongs(scope["path"]) else app)(scope, receive, send)

    return both


def _options(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the options of a cycle that a body asks for."""
    version = body.get("version")
    if version is None:
        return None
    if type(version) is not int or version < 1:
        raise InvalidInput(f"'{version}' is not a version's number", hint='{"version": 3} adopts version 3')
    return {"version": version}


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise InvalidInput("the body must be JSON", hint="send the header Content-Type: application/json")
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > _MOST_BODY:
            raise InvalidInput(f"the body is larger than {_MOST_BODY} bytes")
    try:
        found = json.loads(bytes(raw) or b"{}")
    except ValueError as error:
        raise InvalidInput(f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidInput("the body must be a JSON object")
    return found


def _cycle(cycle: Cycle) -> dict[str, Any]:
    return {
        "id": cycle.cycle_id,
        "model": cycle.model,
        "trigger": cycle.trigger,
        "because": cycle.because,
        "state": cycle.state.value,
        "stage": cycle.stage,
        "started": cycle.started.isoformat(),
        "ended": cycle.ended.isoformat() if cycle.ended else None,
        "run_id": cycle.run_id,
        "version": cycle.version,
        "outcome": cycle.outcome,
    }


def main() -> None:
    """Run the loop and its door until SIGTERM."""
    from homeostat.app.project import load
    from homeostat.app.supervisor import exit_when_orphaned
    from homeostat.app.webhooks import Deliverer
    from homeostat.app.wiring import open_house
    from homeostat.serve.worker import run_worker

    parser = argparse.ArgumentParser()
    parser.add_argument("project")
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("--every", type=float, default=2.0)
    options = parser.parse_args()
    logging.basicConfig(level=os.environ.get("HOMEOSTAT_LOG", "WARNING").upper())
    exit_when_orphaned()
    place = load(Path(options.project))
    house = open_house(place, writer_id="control", actor="homeostat")
    running: list[Loop] = []

    def turn() -> None:
        try:
            loop_on()
        except HomeostatError as error:
            log.error("the loop cannot run: %s (%s)", error.message, error.hint)  # noqa: TRY400
            os._exit(error.exit_status)
        except Exception:  # the border of the thread: a door without a loop behind it must not look alive
            log.exception("the loop broke")
            os._exit(HomeostatError.exit_status)

    def loop_on() -> None:
        # imported here: the door answers while DBOS and the stages are still loading
        from homeostat.app.loop import Loop
        from homeostat.app.wiring import workflow_database_url
        from homeostat.serve.probe import ServerProbe

        loop = Loop(
            house, workflow_database_url=workflow_database_url(place), probe=ServerProbe(), replay=options.replay
        )
        running.append(loop)
        loop.run(every_s=options.every)

    threading.Thread(target=turn, name="loop", daemon=True).start()
    Deliverer(house.store, house.clock).start()
    settings = place.project.serve
    app = with_tracking(build_app(house, is_ready=lambda: bool(running) and running[0].ticks > 0), house)
    run_worker(app, host=settings.host, port=settings.control_port)
    for loop in running:
        loop.stop()
    # what a cycle was doing is resumed at its last finished step by the next start: nothing to wait for
    os._exit(0)


if __name__ == "__main__":
    from homeostat.app.supervisor import run_program

    run_program(main)
