"""All doors behind one answerer: the guard, the paths, the handlers, and errors as each protocol says them."""

import asyncio
import logging
import time
from contextlib import nullcontext

from homeostat.core.errors import HomeostatError
from homeostat.serve.answer import OfVersion
from homeostat.serve.beside import MOST_BYTES
from homeostat.serve.border import Hosts
from homeostat.serve.door import Desk, Endpoint
from homeostat.serve.exchange import Request, Response
from homeostat.serve.express import Express
from homeostat.serve.headers import BROKEN, as_json
from homeostat.serve.heads import Reply, Take
from homeostat.serve.paths import MethodNotAllowed, Paths
from homeostat.serve.protocols import doors
from homeostat.serve.wire import error_json

log = logging.getLogger(__name__)


class App:
    """Answers requests. `desk` is what handlers get."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.paths = Paths(endpoint for door in doors() for endpoint in door.endpoints)
        self._hosts = Hosts(desk.settings.host)
        self._metrics = desk.plane.metrics
        self._working: set[asyncio.Task[None]] = set()
        self._express = Express(desk, self._ordinary, _told)

    def short_way(self, request: Request) -> Take | None:
        """Return what takes requests of this head and answers them without anybody waiting; None where the ordinary way is theirs."""
        if request.method != "POST":
            return None
        try:
            self._hosts.check(request)
            match = self.paths.find(request.method, request.path)
        except HomeostatError:
            return None
        return self._express.way(match.endpoint, match.params.get("model", ""), request)

    def _ordinary(self, request: Request, reply: Reply) -> None:
        async def work() -> None:
            reply(await self.answer(request))

        task = asyncio.get_running_loop().create_task(work())
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def answer(self, request: Request) -> Response:
        """Return the answer, whatever happens."""
        start = time.perf_counter()
        pattern, endpoint = "none", None
        try:
            self._hosts.check(request)
            match = self.paths.find(request.method, request.path)
            endpoint = match.endpoint
            pattern = endpoint.path
            if match.params:
                request = Request(
                    method=request.method,
                    path=request.path,
                    query=request.query,
                    headers=request.headers,
                    body=request.body,
                    params=match.params,
                    client=request.client,
                )
            async with self.desk.long_turn if len(request.body) > MOST_BYTES else nullcontext():
                response = await endpoint.handler(self.desk, request)
        except HomeostatError as error:
            if error.http_status >= 500:
                log.warning("serve.request_failed", extra=_fields(error, request, pattern))
            response = _told(error, endpoint)
        except Exception:  # border: a request; what is no HomeostatError is our fault
            log.exception("serve.request_broke", extra={"path": pattern, **_named(request)})
            response = BROKEN
        self._metrics.requested(pattern, response.status, time.perf_counter() - start)
        return response


def _named(request: Request) -> dict[str, object]:
    return {name: request.params.get(name) for name in ("model", "version")}


def _fields(error: HomeostatError, request: Request, pattern: str) -> dict[str, object]:
    """Return what the log tells of a request that failed. The model and version are those that the path names where the error knows none."""
    known = {"model": error.model, "version": error.version} if isinstance(error, OfVersion) else {}
    return {
        "path": pattern,
        **_named(request),
        **{name: value for name, value in known.items() if value is not None},
        "status": error.http_status,
        "error": error.code,
        "cause": type(error.__cause__ or error).__name__,
    }


def _told(error: HomeostatError, endpoint: Endpoint | None) -> Response:
    try:
        return refused(error, endpoint)
    except Exception:  # border: an error that cannot be told is one of ours, and the client still waits
        log.exception("serve.request_broke", extra={"path": "none" if endpoint is None else endpoint.path})
        return BROKEN


def refused(error: HomeostatError, endpoint: Endpoint | None) -> Response:
    """Return the error as the protocol of the endpoint says it."""
    headers: tuple[tuple[str, str], ...] = ()
    if (after := getattr(error, "retry_after_s", None)) is not None:
        headers = (("retry-after", str(after)),)
    if isinstance(error, MethodNotAllowed):
        headers = (("allow", ", ".join(error.allowed)),)
    form = error_json if endpoint is None or endpoint.errors is None else endpoint.errors
    return as_json(form(error), status=error.http_status, headers=headers)
