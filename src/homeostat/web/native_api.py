"""The native API of a project: how its models are, its cycles, and the approvals that they wait for."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from homeostat.app.batch_jobs import FORMATS, Jobs
from homeostat.app.status import as_json, status
from homeostat.app.wiring import House
from homeostat.core.errors import InvalidInput
from homeostat.core.ids import derived_id
from homeostat.core.records.cycles import Cycle
from homeostat.retrain.requests import approve, ask
from homeostat.serve.border import Handler, HasHeaders, Hosts, guarded, refused_by_routing
from homeostat.web import jobs_api, openapi
from homeostat.web.pages import routes as pages

_MOST_BODY = 1_000_000
_Text = Annotated[str, msgspec.Meta(max_length=10_000, pattern="^[^\x00]*$")]
_Body = TypeVar("_Body", bound=msgspec.Struct)


class CycleRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A cycle that is asked for. One that names a version adopts it instead of training."""

    because: _Text = ""
    version: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None


class Approval(msgspec.Struct, forbid_unknown_fields=True):
    """What a person decided about a cycle that waits for them."""

    approved: bool
    by: Annotated[_Text, msgspec.Meta(min_length=1)]
    reason: _Text = ""


class _AnyHost(Hosts):
    """The native API asks nobody for a name: `web.safety` stands before all of the control process, and has."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1")

    def check(self, request: HasHeaders) -> None:
        del request


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One route: what answers, and what it takes (media types where it is no JSON, names of the query) and gives, for the API's description. The summary is the handler's docstring."""

    path: str
    handler: Callable[[House, Request], Any]
    method: str = "GET"
    body: type[msgspec.Struct] | None = None
    answers: str = "application/json"
    status: int = 200
    takes: tuple[str, ...] = ()
    query: tuple[str, ...] = ()


def build_app(
    house: House,
    *,
    looks: Callable[[], int] = lambda: 1,
    leads: Callable[[], bool] = lambda: True,
    jobs: Jobs | None = None,
    beside: Callable[[], Sequence[openapi.Operation]] = lambda: (),
) -> Starlette:
    """Return the native API, to be put behind `web.safety`: /health, /metrics, /api/v1/status, /api/v1/cycles; /openapi.json describes it and what is `beside` it. The pages are there too."""

    async def health(house: House, _request: Request) -> Response:
        """Whether the door and the store behind it answer, and how often the loop has looked since its start; it stands by while it runs elsewhere."""
        await run_in_threadpool(lambda: status(house))
        looked = looks()
        loop = "running" if looked else "starting" if leads() else "standing by"
        return JSONResponse({"status": "ok", "loop": loop, "looks": looked})

    async def describe(_house: House, _request: Request) -> Response:
        """What all of this takes and answers, as OpenAPI 3.1."""
        return JSONResponse(await run_in_threadpool(lambda: _document(doors, beside())))

    hosts = _AnyHost()
    doors = (
        Door(path="/health", handler=health),
        *_DOORS,
        *_job_doors(jobs or Jobs(house)),
        Door(path=openapi.PATH, handler=describe),
    )

    def route(door: Door) -> Route:
        handler: Handler = partial(door.handler, house)
        return Route(door.path, guarded(handler, hosts=hosts, count=lambda _: None), methods=[door.method])

    async def unrouted(request: Request, error: Exception) -> Response:
        return await pages.as_page(lambda asked: refused(asked, error))(request)

    refused = refused_by_routing(lambda: app.routes, hosts=hosts)
    app = Starlette(
        routes=[*map(route, doors), *pages.routes(house, hosts=hosts)], exception_handlers={HTTPException: unrouted}
    )
    return app


async def metrics(house: House, _request: Request) -> Response:
    """The project's state as Prometheus reads it."""
    from homeostat.web.metrics import render

    return Response(await run_in_threadpool(lambda: render(house)), media_type="text/plain; version=0.0.4")


async def told(house: House, _request: Request) -> Response:
    """How each model is."""
    found = await run_in_threadpool(lambda: status(house))
    return JSONResponse({"models": [as_json(one) for one in found]})


async def incidents(house: House, _request: Request) -> Response:
    """The latest incidents of the project's model."""

    def read() -> list[Any]:
        with house.store.read() as tx:
            return [msgspec.to_builtins(one) for one in tx.incidents.recent(house.project.model)]

    return JSONResponse({"incidents": await run_in_threadpool(read)})


async def cycles(house: House, _request: Request) -> Response:
    """The latest cycles."""

    def read() -> list[Cycle]:
        with house.store.read() as tx:
            return tx.cycles.recent()

    return JSONResponse({"cycles": [_cycle(one) for one in await run_in_threadpool(read)]})


async def start(house: House, request: Request) -> Response:
    """Ask for a cycle; the same Idempotency-Key asks for it once."""
    asked = await _body(request, CycleRequest)
    now = house.clock.now()
    key = request.headers.get("idempotency-key") or now.isoformat()
    cycle = await run_in_threadpool(
        lambda: ask(
            store=house.store,
            model=house.project.model,
            cycle_id=derived_id("cycle", house.project.model, "manual", key),
            trigger="manual",
            because=asked.because or "asked for over HTTP",
            actor=house.actor,
            now=now,
            options=None if asked.version is None else {"version": asked.version},
        )
    )
    return JSONResponse(_cycle(cycle), status_code=202)


async def decide(house: House, request: Request) -> Response:
    """Approve or refuse what a cycle waits with."""
    approval = await _body(request, Approval)
    event = await run_in_threadpool(
        lambda: approve(
            store=house.store,
            cycle_id=request.path_params["cycle_id"],
            approved=approval.approved,
            actor=approval.by,
            now=house.clock.now(),
            reason=approval.reason,
        )
    )
    return JSONResponse({"event": event.kind, "by": event.actor})


_DOORS = (
    Door(path="/metrics", handler=metrics, answers="text/plain"),
    Door(path="/api/v1/status", handler=told),
    Door(path="/api/v1/incidents", handler=incidents),
    Door(path="/api/v1/cycles", handler=cycles),
    Door(path="/api/v1/cycles", handler=start, method="POST", body=CycleRequest, status=202),
    Door(path="/api/v1/cycles/{cycle_id}/approval", handler=decide, method="POST", body=Approval),
)


def _job_doors(jobs: Jobs) -> tuple[Door, ...]:
    does, one = jobs_api.handlers(jobs), "/api/v1/jobs/{job_id}"
    return (
        Door(
            path="/api/v1/models/{model}/jobs",
            handler=does["submit"],
            method="POST",
            status=202,
            takes=tuple(FORMATS),
            query=jobs_api.QUERY,
        ),
        Door(path="/api/v1/jobs", handler=does["listed"]),
        Door(path=one, handler=does["one"]),
        Door(path=one, handler=does["remove"], method="DELETE"),
        Door(path=f"{one}/result", handler=does["result"], answers="application/vnd.apache.parquet"),
        Door(path=f"{one}/rejects", handler=does["rejects"], answers="application/jsonl"),
    )


def _document(doors: Sequence[Door], beside: Sequence[openapi.Operation]) -> dict[str, Any]:
    bodies = [door.body for door in doors if door.body is not None]
    refs, schemas = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    known = dict(zip(bodies, refs, strict=True))
    operations = [
        openapi.Operation(
            method=door.method,
            path=door.path,
            tag="loop",
            summary=(door.handler.__doc__ or "").partition("\n")[0],
            parameters=[
                openapi.parameter(name, "path", {"type": "string"}, is_required=True)
                for name in re.findall(r"\{(\w+)\}", door.path)
            ]
            + [openapi.parameter(name, "query", {"type": "string"}, is_required=False) for name in door.query],
            body={kind: {} for kind in door.takes}
            or (None if door.body is None else {"application/json": known[door.body]}),
            answers=door.answers,
            status=door.status,
        )
        for door in doors
    ]
    return openapi.document("Homeostat", [*operations, *beside], schemas=schemas)


async def _body(request: Request, kind: type[_Body]) -> _Body:
    """Return the body as the record that it must be; raise InvalidInput, which names the place that is wrong."""
    hint = f"fields: {', '.join(kind.__struct_fields__)}"
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise InvalidInput("the body must be JSON", hint="send the header Content-Type: application/json")
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > _MOST_BODY:
            raise InvalidInput(f"the body is larger than {_MOST_BODY} bytes", hint=hint)
    try:
        return msgspec.json.decode(bytes(raw) or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"the body cannot be read: {error}", hint=hint) from error


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
