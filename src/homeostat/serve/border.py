"""The border of the server: which hosts may ask, how long a body may be, and how errors become answers."""

import ipaddress
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from homeostat.core.errors import HomeostatError, InvalidInput, NotAllowed, near
from homeostat.core.values import Json
from homeostat.serve.headers import BROKEN
from homeostat.serve.wire import error_json

log = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]
_MOST_SEEN = 64
_LOCAL = frozenset(["127.0.0.1", "localhost", "::1"])
_ALSO = "HOMEOSTAT_ALLOWED_HOSTS"  # the same variable as before the control process


class HasHeaders(Protocol):
    @property
    def headers(self) -> Mapping[str, str]: ...


class TooLarge(InvalidInput):
    """The body is longer than the server takes."""

    code = "too_large"
    http_status = 413


class Hosts:
    """The names under which this server may be asked: its own, so that a foreign page cannot reach it through a name of its own.

    Bound to every address, it may also be asked by any address written as digits and by the machine's name. HOMEOSTAT_ALLOWED_HOSTS
    adds names, by commas: those that a cluster or a proxy gives it.
    """

    def __init__(self, host: str) -> None:
        own = host.strip("[]").lower()
        self._takes_addresses = own in ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound
        self._seen: set[str] = set()
        named = {name.strip().lower() for name in os.environ.get(_ALSO, "").split(",") if name.strip()}
        self._known = _LOCAL | {own} | named | ({socket.gethostname().lower()} if self._takes_addresses else set())

    def check(self, request: HasHeaders) -> None:
        """Raise NotAllowed where the Host header, or the Origin that browsers add, is foreign."""
        headers = request.headers
        self.refuse_foreign(host=headers.get("host", ""), origin=headers.get("origin"))

    def refuse_foreign(self, *, host: str | None, origin: str | None) -> None:
        """Raise NotAllowed where one that is given is not ours."""
        if host is not None and host not in self._seen and not self._remembered(host):
            raise NotAllowed(
                f"this server is not '{host[:100]}'", hint="ask it by the address in homeostat.yaml: serve.host"
            )
        if origin is not None and not self._is_own(origin):
            raise NotAllowed(f"a page of '{origin[:100]}' may not use this server", hint="ask from a program instead")

    def _remembered(self, host: str) -> bool:
        """Return whether the host is ours, and look it up no more if it is."""
        is_own = self._is_own(f"//{host}")
        if is_own and len(self._seen) < _MOST_SEEN:
            self._seen.add(host)
        return is_own

    def _is_own(self, url: str) -> bool:
        try:
            name = (urlsplit(url).hostname or "").lower()
        except ValueError:
            return False
        return name in self._known or (self._takes_addresses and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def read_body(request: Request, *, most_bytes: int) -> bytes:
    """Return the body; raise TooLarge as soon as it is known to be."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most_bytes:
        raise _too_large(most_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise _too_large(most_bytes)
    return bytes(body)


def _too_large(most_bytes: int) -> TooLarge:
    return TooLarge(
        f"the body is longer than {most_bytes} bytes", hint="send fewer rows at once, or raise serve.max_body"
    )


def as_json(value: Json, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")


def guarded(handler: Handler, *, hosts: Hosts, count: Callable[[int], None]) -> Handler:
    """Return the handler behind the host check, its errors turned into answers, every answer counted by its status."""

    async def handle(request: Request) -> Response:
        try:
            hosts.check(request)
            response = await handler(request)
        except HomeostatError as error:
            if error.http_status >= 500:
                log.warning(
                    "serve.request_failed",
                    extra={
                        "method": request.method,
                        "path": request.url.path[:200],
                        "status": error.http_status,
                        "error": error.code,
                        "cause": type(error.__cause__ or error).__name__,
                    },
                )
            response = as_json(error_json(error), status=error.http_status)
        except ClientDisconnect:
            response = Response(status_code=400)
        except Exception:  # border: a request; what is no HomeostatError is our fault
            log.exception("serve.request_broke", extra={"method": request.method, "path": request.url.path[:200]})
            response = Response(BROKEN.body, status_code=BROKEN.status, media_type=BROKEN.media_type)
        count(response.status_code)
        return response

    return handle


def refused_by_routing(
    routes: Callable[[], Iterable[object]], *, hosts: Hosts
) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return the handler of what no route takes: it names the paths that there are, or the methods that a path takes."""

    async def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)

        async def tell(_request: Request) -> Response:
            if error.status_code == 404:
                known = sorted({route.path for route in routes() if isinstance(route, Route)})
                message, hint = f"nothing is at '{request.url.path[:200]}'", near(request.url.path, known)
                return as_json({"error": {"code": "not_found", "message": message, "hint": hint}}, status=404)
            methods = (error.headers or {}).get("Allow", "").replace("HEAD, ", "").replace(", HEAD", "")
            message, hint = f"{request.method} is not possible here", f"use {methods}" if methods else None
            told = as_json(
                {"error": {"code": "invalid_input", "message": message, "hint": hint}}, status=error.status_code
            )
            told.headers.update(error.headers or {})
            return told

        return await guarded(tell, hosts=hosts, count=lambda _: None)(request)

    return handle
