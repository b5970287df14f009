"""The ASGI application that the client talks to: finds the endpoint, runs its handler where it belongs, answers in one write."""

import asyncio
import inspect
import logging
import re
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from starlette.responses import Response

from homeostat.core.errors import HomeostatError
from homeostat.web.mlflow_api.call import Call
from homeostat.web.mlflow_api.discovery import discover
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint, Read, Reply, Work, Write
from homeostat.web.mlflow_api.errors import WireError, invalid, told
from homeostat.web.openapi import PATH as OPENAPI_PATH
from homeostat.web.openapi import document

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Methods = dict[str, Endpoint]

_READERS = 4
_WORKERS = 16
_encode = msgspec.json.Encoder().encode
_PREFIXES = ("/api/2.0/mlflow", "/api/3.0/mlflow", "/ajax-api/", "/v1/traces", "/get-artifact", "/model-versions/")


def belongs(path: str) -> bool:
    """Return whether a path is this API's: `web.control` hands those over."""
    return path.startswith(_PREFIXES) or path == "/version"


class MlflowApi:
    """An ASGI application. It lives in one event loop; `close` ends its threads."""

    def __init__(self, desk: Desk, *, endpoints: Sequence[Endpoint] | None = None) -> None:
        self.desk = desk
        self._exact: dict[str, Methods] = {}
        self._patterns: list[tuple[re.Pattern[str], Methods]] = []
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="read")
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="work")
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_woken = False
        patterns: dict[str, Methods] = {}
        found = list(discover() if endpoints is None else endpoints)
        for endpoint in (*found, _described(found)):
            for path in endpoint.paths:
                known = (patterns if "{" in path else self._exact).setdefault(path, {})
                if endpoint.method in known:
                    raise ValueError(f"two endpoints answer {endpoint.method} {path}")
                known[endpoint.method] = endpoint
        # the more is literal, the earlier it is tried; {x:path} comes last
        for path in sorted(patterns, key=lambda path: (":path}" in path, path.count("{"), -len(path))):
            self._patterns.append((_regex(path), patterns[path]))

    def close(self) -> None:
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
        except HomeostatError as error:
            status, body = told(error)
            if status >= 500:
                log.exception("mlflow_api.failed", extra={"path": scope["path"], "error": error.message})
            answer = Reply(_encode(body), status)
        except Exception:  # the border of a request: what arrives here is our bug, and is said to be one
            log.exception("mlflow_api.bug", extra={"path": scope["path"]})
            body = {
                "error_code": "INTERNAL_ERROR",
                "message": "An internal error occurred; the server's log says more.",
            }
            answer = Reply(_encode(body), 500)
        if isinstance(answer, Response):
            await answer(scope, receive, send)
            return
        headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Reply | Response:
        endpoint, params = self._find(scope["method"], scope["path"])
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = b"" if endpoint.streams else await _body(receive, endpoint.body_limit, headers.get("content-length"))
        call = Call(
            method=scope["method"],
            path=scope["path"],
            params=params,
            query=scope.get("query_string", b"").decode("latin-1"),
            headers=headers,
            body=body,
            scope=scope,
            receive=receive,
        )
        result = endpoint.handler(call, self.desk)
        if inspect.isawaitable(result):
            result = await result
        after = None
        match result:
            case Write():
                after, result = result.after, await self._write(result.work)
            case Read():
                result = await self._loop.run_in_executor(self._readers, self._read, result.work)
            case Work():
                result = await self._loop.run_in_executor(self._workers, result.work)
        if after is not None:
            result = after(result)
        return result if isinstance(result, Reply | Response) else Reply(_encode(result))

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def _find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
        methods, params = self._exact.get(path), {}
        if methods is None:
            for pattern, candidates in self._patterns:
                if found := pattern.fullmatch(path):
                    methods, params = candidates, found.groupdict()
                    break
        if methods is None:
            raise WireError("ENDPOINT_NOT_FOUND", f"No endpoint answers {method} {path[:300]}.")
        endpoint = methods.get(method) or methods.get("*")
        if endpoint is None:
            allowed = ", ".join(sorted(methods))
            message = f"{method} is not answered at {path[:300]}; {allowed} {'is' if len(methods) == 1 else 'are'}."
            raise WireError("ENDPOINT_NOT_FOUND", message, status=405)
        return endpoint, params

    def _read(self, work: Callable[[Any], Any]) -> Any:
        with self.desk.store.read() as tx:
            return work(tx)

    async def _write(self, work: Callable[[Any], Any]) -> Any:
        """Return what the change returned, once it is on disk. Changes that were committed together wake the loop once."""
        loop = self._loop
        future: asyncio.Future[Any] = loop.create_future()

        def done(result: Any, error: BaseException | None) -> None:
            self._done.append((future, result, error))
            if not self._is_woken:  # set back before the loop looks: what is appended after that wakes it again
                self._is_woken = True
                loop.call_soon_threadsafe(self._deliver)

        self.desk.store.submit(work, done)
        return await future

    def _deliver(self) -> None:
        self._is_woken = False
        while self._done:
            future, result, error = self._done.popleft()
            if future.cancelled():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


async def _body(receive: Receive, limit: int, said: str | None) -> bytes:
    """Return the whole body, `said` to have so many bytes; once they are there, nobody waits to be told that there are no more."""
    message = await receive()
    _refuse_broken_off(message)
    body: bytes = message.get("body", b"")
    if message.get("more_body") and str(len(body)) != said:
        parts, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            _refuse_broken_off(message)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                break
        body = b"".join(parts)
    if len(body) > limit:
        raise invalid(f"The request body may hold at most {limit} bytes; this one is larger.")
    return body


def _refuse_broken_off(message: Any) -> None:
    """A part of a body is not taken for a whole one: none at all is a request too."""
    if message["type"] == "http.disconnect":
        raise invalid("The request broke off before its body was whole.")


def _described(endpoints: Sequence[Endpoint]) -> Endpoint:
    """The endpoint that describes the others."""

    def describe(_call: Call, _desk: Desk) -> Work:
        from homeostat.web.mlflow_api.openapi import operations

        return Work(lambda: document("Homeostat's tracking server and registry", operations(endpoints)))

    return Endpoint("GET", OPENAPI_PATH, describe)


def _regex(path: str) -> re.Pattern[str]:
    r"""Return the pattern of a path.

    >>> _regex("/a/{b}/c/{d:path}").pattern
    '/a/(?P<b>[^/]+)/c/(?P<d>.*)'
    """
    parts = re.split(r"\{(\w+)(:path)?\}", path)
    out = re.escape(parts[0])
    for name, rest, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        out += f"(?P<{name}>{'.*' if rest else '[^/]+'})" + re.escape(literal)
    return re.compile(out, re.DOTALL)
