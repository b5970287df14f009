"""What every request must satisfy before anyone reads it, in an ASGI middleware for the whole of the control process.

A foreign Host is refused (a page of another site whose name was pointed at this machine: DNS rebinding), so is a change that a page of
another origin asks for (CSRF), a body that a form can send without asking first, and a path that leads elsewhere however often it is decoded.
A client that stops in the midst of its body is given up.
"""

import asyncio
import ipaddress
import json
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import Any
from urllib.parse import unquote, urlsplit

OPEN = frozenset({"/health", "/version"})
HOSTS_VARIABLE, ORIGINS_VARIABLE = "HOMEOSTAT_ALLOWED_HOSTS", "HOMEOSTAT_ALLOWED_ORIGINS"
MOST_QUERY_BYTES = 600_000  # a filter may have 500,000 characters
MOST_PATH_BYTES = 8_000
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL = ("127.0.0.1", "localhost", "::1")
_WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not bound to
_FORMS = frozenset({"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"})
_RAW = ("/mlflow-artifacts/artifacts/", "/mlflow-artifacts/mpu/part/")  # their bodies are files, of whatever type
_MOST_DECODINGS = 10
STALLED_S = 30.0  # without a byte of a body that goes on

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Safety:
    """Passes on what is safe and answers the rest with an error.

    `hosts` are the names that this server is known by (`*`: any); `origins` the sites, as in https://ml.example.org, whose pages may ask
    for changes besides its own. `stalled_s`: how long the next piece of a body may take. With `any_address`, a Host that is an IP address passes too: no name can be rebound to it.
    """

    def __init__(
        self,
        app: App,
        *,
        hosts: Collection[str],
        origins: Collection[str] = (),
        any_address: bool = False,
        stalled_s: float = STALLED_S,
    ) -> None:
        self._app = app
        self._hosts = frozenset(_bare(host) for host in hosts)
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._any_address = any_address
        self._stalled_s = stalled_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await _refuse(send, scope["path"], *refusal)
            return
        await self._app(scope, receive if scope["type"] != "http" else _impatient(receive, self._stalled_s), send)

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        """Return (status, code, message) for a request that must not pass."""
        if problem := _address_problem(scope):
            return 400, "INVALID_PARAMETER_VALUE", problem
        is_change = scope["method"] not in _SAFE
        if scope["path"] in OPEN and not is_change:
            return None
        headers = _headers(scope["headers"])
        host = headers.get("host", "")
        if not self._is_known(host):
            return 403, "PERMISSION_DENIED", "Invalid Host header: this server is not known by that name."
        if is_change and not self._may_change(headers, host):
            return (
                403,
                "PERMISSION_DENIED",
                "Cross-origin request blocked: a page of another site may change nothing here.",
            )
        return _body_refusal(headers, scope["path"]) if is_change else None

    def _is_known(self, host: str) -> bool:
        name = _name_of(host)
        return "*" in self._hosts or name in self._hosts or (self._any_address and _is_address(name))

    def _may_change(self, headers: dict[str, str], host: str) -> bool:
        origin = headers.get("origin")
        if origin is None:  # not a browser, or a browser too old to be asked; then it may still say where it comes from
            return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
        if origin.rstrip("/").lower() in self._origins:
            return True
        found = urlsplit(origin)
        return found.scheme in ("http", "https") and _place(found.netloc, found.scheme) == _place(host, found.scheme)


def _impatient(receive: Receive, stalled_s: float) -> Receive:
    """Return what receives a body, and says that the client is gone where its next piece takes too long; behind the body it waits for as long as it takes."""
    is_whole = False

    async def received() -> Message:
        nonlocal is_whole
        if is_whole:
            return await receive()
        try:
            async with asyncio.timeout(stalled_s):
                message = await receive()
        except TimeoutError:
            is_whole = True
            return {"type": "http.disconnect"}
        is_whole = not message.get("more_body", False)
        return message

    return received


def middleware_options(host: str) -> dict[str, Any]:
    """Return the options of `Safety` for a server bound to `host`: its own names, and those that the environment adds."""
    hosts = [*_LOCAL, *([] if host in _WILDCARDS else [host]), *_listed(HOSTS_VARIABLE)]
    return {"hosts": hosts, "origins": _listed(ORIGINS_VARIABLE), "any_address": host in _WILDCARDS}


def _listed(variable: str) -> list[str]:
    return [word.strip() for word in os.environ.get(variable, "").split(",") if word.strip()]


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header values by lower-case name; a name given twice has both, on lines, so that it fits nothing."""
    found: dict[str, str] = {}
    for name, value in raw:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        found[key] = f"{found[key]}\n{text}" if key in found else text
    return found


def _address_problem(scope: Scope) -> str | None:
    path, raw = scope["path"], scope.get("raw_path") or b""
    if len(scope.get("query_string", b"")) > MOST_QUERY_BYTES or len(path) > MOST_PATH_BYTES:
        return "The address of the request is too long."
    if _leads_elsewhere(path) or _leads_elsewhere(raw.decode("latin-1").partition("?")[0]):
        return "Invalid path: it leads out of its folder."
    return None


def _body_refusal(headers: dict[str, str], path: str) -> tuple[int, str, str] | None:
    if any(part in path for part in _RAW):
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _FORMS:
        return 400, "INVALID_PARAMETER_VALUE", f"Bad Request. A body of type {kind} is not read; send application/json."
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if has_body and not kind:
        return 400, "INVALID_PARAMETER_VALUE", "Bad Request. Content-Type header is missing; send application/json."
    return None


def _leads_elsewhere(path: str) -> bool:
    if "%" not in path and ".." not in path and "\\" not in path and "\0" not in path:
        return False
    for _ in range(_MOST_DECODINGS):
        if "\\" in path or "\0" in path or ".." in path.split("/"):
            return True
        if (further := unquote(path)) == path:
            return False
        path = further
    return True


def _bare(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _name_of(host: str) -> str:
    """The name in a Host header, without its port.

    >>> _name_of("LocalHost:5000"), _name_of("[::1]:80"), _name_of("::1")
    ('localhost', '::1', '::1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    name, _, port = host.rpartition(":")
    return _bare(name if name and port.isdecimal() and ":" not in name else host)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _place(host: str, scheme: str) -> str:
    """Host and port, the port said even where it is the usual one."""
    name, _, port = host.lower().rpartition(":")
    if name and port.isdecimal() and (":" not in name or name.endswith("]")):
        return host.lower()
    return f"{host.lower()}:{443 if scheme == 'https' else 80}"


async def _refuse(send: Send, path: str, status: int, code: str, message: str) -> None:
    """Answer in the words of the API that was asked."""
    body: dict[str, Any]
    if path.startswith("/api/v1/"):
        body = {"error": {"code": code.lower(), "message": message, "hint": None}}
    else:
        body = {"error_code": code, "message": message}
    content = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
