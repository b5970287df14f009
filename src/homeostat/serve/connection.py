"""HTTP/1.1 on one connection: bytes in, requests out in their order, answers back. Parsing is llhttp's (httptools).

Requests that come before the last one is answered wait their turn (pipelining); no more is read while many wait or the client does not read.
Bodies are bounded, also once they are inflated, and so are those of all connections together; headers are bounded; a request that does not
become whole in time is given up, as is a client that does not read.
"""

import asyncio
import logging
import sys
import time
from collections import deque
from typing import cast

import httptools
import msgspec

from homeostat.serve.connections import Connections
from homeostat.serve.exchange import Request, Response, encoded
from homeostat.serve.inflating import inflated

log = logging.getLogger(__name__)

_Waiting = tuple[Request | Response, bool, int]  # whether the connection goes on after it, bytes that it holds

_MOST_WAITING = 16
_MOST_HEADERS = 100
_MOST_HEADER_BYTES = 32 << 10
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """One client's connection."""

    __slots__ = (
        "_all", "_body", "_bytes", "_can_write", "_client", "_closing", "_encoding", "_goes_on", "_half_closed", "_headers", "_held", "_is_bad",
        "_is_busy", "_lingering", "_loop", "_parser", "_piece", "_queued", "_raw", "_reading", "_since", "_stuck", "_taken", "_task", "_transport", "_unsent", "_url", "_waiting",
    )  # fmt: skip

    def __init__(self, connections: Connections) -> None:
        self._all = connections
        self._headers: dict[str, str] = {}
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[_Waiting] = deque()
        self._queued = 0  # bytes held by what waits
        self._is_busy = False
        self._is_bad = False
        self._goes_on = True
        self._closing = False
        self._half_closed = False
        self._reading = False
        self._can_write: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._since = time.monotonic()
        self._lingering = False
        self._body: bytes | bytearray = b""
        self._unsent = 0  # bytes of answers, when they last became fewer: at `_stuck`
        self._stuck = 0.0
        self._held = 0
        self._taken = 0  # of what waits, by the request that went the short way
        self._client = ""
        self._piece = b""  # what came last, while it may be one whole request
        self._new_message()

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        peer = transport.get_extra_info("peername")
        self._client = str(peer[0]) if peer else ""
        self._all.open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        del error
        self._all.open.discard(self)
        self._transport = None
        self._all.held -= self._held + self._queued
        self._held = self._queued = 0
        self._waiting.clear()
        if self._can_write is not None:
            self._can_write.set()

    def data_received(self, data: bytes) -> None:
        if self._is_bad or self._closing:
            return
        if not self._reading:
            if self._is_free and self._is_known(data):
                return
            self._since = time.monotonic()
            self._piece = data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(501, "protocol upgrades are not spoken here", "use plain HTTP/1.1 requests")
        except httptools.HttpParserError as error:
            if not self._is_bad:
                self._refuse(400, f"this is no HTTP/1.1 request: {error}", "send a whole, well-formed request")

    def eof_received(self) -> bool:
        """The client sends no more, and may still read: what it asked is answered first."""
        self._half_closed = True
        return self._is_busy or bool(self._waiting)

    def pause_writing(self) -> None:
        self._can_write = asyncio.Event()
        self._unsent, self._stuck = sys.maxsize, time.monotonic()

    def resume_writing(self) -> None:
        if self._can_write is not None:
            self._can_write.set()
            self._can_write = None

    def _is_known(self, data: bytes) -> bool:
        """Take the bytes for a request whose head was read before, where they are one."""
        found = self._all.heads.find(data)
        if found is None:
            return False
        head, body = found
        made = Request(
            method=head.method,
            path=head.path,
            query=head.query,
            headers=head.headers,
            body=body,
            client=self._client,
        )
        if head.take is not None and head.take(made, self._reply):
            self._is_busy = self._goes_on = True
        else:
            self._enqueue(made, goes_on=True)
        return True

    # -- the parser's side

    def on_message_begin(self) -> None:
        self._new_message()
        self._reading = True

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._bytes += len(url)
        if self._bytes > _MOST_HEADER_BYTES:
            self._refuse(414, f"the address is longer than {_MOST_HEADER_BYTES} bytes", "put long values into the body")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._raw.append((name, value))
        self._bytes += len(name) + len(value)
        if self._bytes > _MOST_HEADER_BYTES or len(self._raw) > _MOST_HEADERS:
            self._refuse(431, f"more than {_MOST_HEADERS} headers or {_MOST_HEADER_BYTES} bytes of them", "send fewer")

    def on_headers_complete(self) -> None:
        if self._is_bad:
            return
        self._bytes = 0
        headers = {n.lower().decode("latin-1"): v.decode("latin-1") for n, v in self._raw}
        self._headers = headers
        if "content-encoding" in headers:
            encoding = headers["content-encoding"].lower()
            if encoding not in ("identity", "gzip", "deflate"):
                self._refuse(415, f"the content encoding '{encoding[:40]}' is not known", "send gzip, deflate or none")
                return
            self._encoding = encoding
        announced = headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self._all.limits.body_bytes:
            self._too_large()
        elif "expect" in headers and headers["expect"].lower() == "100-continue" and self._transport is not None:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        if self._is_bad:
            return
        self._bytes += len(body)
        if self._bytes > self._all.limits.body_bytes:
            self._too_large()
            return
        if not self._body:
            self._body = body
        elif self._hold(len(body) if self._held else len(body) + len(self._body)):
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)  # not a list: parts of two bytes would take thirty each
            self._body += body

    def on_message_complete(self) -> None:
        self._reading = False
        self._since = time.monotonic()
        if self._is_bad:
            return
        goes_on = self._parser.should_keep_alive()
        made = self._request()
        if made is None:
            return
        take = self._all.short_way(made)
        if self._piece and goes_on and self._parser.get_http_version() == "1.1":
            self._all.heads.remember(self._piece, made, take)
        self._piece = b""
        if take is not None and self._is_free and take(made, self._reply):
            self._is_busy, self._goes_on = True, goes_on
            self._queued = self._taken = self._held
            self._held = 0
            return
        self._enqueue(made, goes_on=goes_on)

    # -- ours

    @property
    def _is_free(self) -> bool:
        return not self._is_busy and not self._waiting and self._can_write is None

    def expire(self, now: float) -> None:
        """Close the connection where it is idle, its request unfinished or its answer unread for too long."""
        if self._transport is None:
            return
        since = now - self._since
        if self._can_write is not None:
            self._expire_unread(self._transport, now)
        elif self._is_busy or self._waiting:
            return
        elif self._lingering:
            if since > self._all.limits.linger_s:
                self._transport.abort()
        elif self._reading:
            if since > self._all.limits.request_s:
                self._refuse(408, f"the request was not whole after {self._all.limits.request_s:g} s", "send it faster")
        elif since > self._all.limits.idle_s:
            self._transport.close()

    def _expire_unread(self, transport: asyncio.Transport, now: float) -> None:
        """Give up a client that has not read anything for too long; a slow one reads."""
        unsent = transport.get_write_buffer_size()
        if unsent < self._unsent:
            self._unsent, self._stuck = unsent, now
        elif now - self._stuck > self._all.limits.request_s:
            transport.abort()

    def drain(self) -> None:
        """Close when what was asked is answered."""
        if self._transport is not None and not self._is_busy and not self._waiting:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _new_message(self) -> None:
        self._url = b""
        self._raw: list[tuple[bytes, bytes]] = []
        self._headers = {}
        self._body = b""
        self._bytes = 0
        self._encoding = "identity"

    def _request(self) -> Request | None:
        try:
            url = self._url.decode("ascii")
        except UnicodeDecodeError:
            url = ""
        if not url.startswith("/"):
            self._refuse(400, "the address of the request is no path", "percent-encode what is not ASCII: /models")
            return None
        path, _, query = url.partition("?")
        body = bytes(self._body)
        if self._encoding != "identity":
            found = inflated(body, self._encoding, self._all.limits.body_bytes)
            if found is None:
                self._refuse(400, f"the body is not {self._encoding}", "send it whole, or uncompressed")
                return None
            if len(found) > self._all.limits.body_bytes:
                self._too_large()
                return None
            if not self._hold(len(found) - self._held):
                return None
            body = found
        return Request(
            method=self._parser.get_method().decode("ascii"),
            path=path,
            query=query,
            headers=self._headers,
            body=body,
            client=self._client,
        )

    def _hold(self, more: int) -> bool:
        """Return whether there is room for so many bytes of bodies more; else the request is refused."""
        if self._all.held + more > self._all.limits.all_bytes:
            hint = "ask again in a second, with fewer rows"
            self._refuse(503, "the server holds as many requests as it may", hint, code="overloaded")
            return False
        self._all.held += more
        self._held += more
        return True

    def _too_large(self) -> None:
        most = self._all.limits.body_bytes
        self._refuse(
            413,
            f"the body is longer than {most} bytes",
            "send fewer rows at once, or raise serve.max_body",
            code="too_large",
        )

    def _refuse(self, status: int, message: str, hint: str, *, code: str = "invalid_input") -> None:
        """Answer in turn that the bytes cannot be taken, and end the connection: what follows cannot be told apart."""
        if self._is_bad:
            return
        self._is_bad = True
        told = msgspec.json.encode({"error": {"code": code, "message": message, "hint": hint}})
        self._enqueue(Response(status=status, body=told), goes_on=False)

    def _reply(self, response: Response) -> None:
        """Answer what was taken at once; then what came meanwhile has its turn."""
        self._is_busy = False
        if self._transport is None:
            return
        self._all.held -= self._taken
        self._queued, self._taken = self._queued - self._taken, 0
        goes_on = self._goes_on and not self._all.is_draining
        self._transport.write(encoded(response, goes_on=goes_on, is_head=False))
        self._closing = not goes_on
        if self._waiting and goes_on:
            self._is_busy = True
            self._task = self._loop.create_task(self._work())
        else:
            self._rest()

    def _rest(self) -> None:
        """Nothing is asked any more: close, or wait for the next request."""
        self._since = time.monotonic()
        if self._transport is None or not (self._closing or self._half_closed or self._all.is_draining):
            return
        if self._is_bad and not self._half_closed and not self._all.is_draining:
            # closing what still comes in would reset the connection, and take the answer from the client
            self._lingering = True
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()

    def _enqueue(self, asked: Request | Response, *, goes_on: bool) -> None:
        self._waiting.append((asked, goes_on, self._held))
        self._queued, self._held = self._queued + self._held, 0
        if not self._is_busy:
            self._is_busy = True
            self._task = self._loop.create_task(self._work())
        elif self._is_full and self._transport is not None:
            self._transport.pause_reading()

    @property
    def _is_full(self) -> bool:
        return len(self._waiting) >= _MOST_WAITING or self._queued > self._all.limits.body_bytes

    async def _work(self) -> None:
        """Answer what waits, one after the other."""
        while self._waiting and not self._closing:
            was_full = self._is_full
            asked, goes_on, held = self._waiting.popleft()
            self._queued -= held
            if was_full and not self._is_full and self._transport is not None:
                self._transport.resume_reading()
            is_head = False
            try:
                if isinstance(asked, Request):
                    is_head = asked.method == "HEAD"
                    asked = await self._all.answer(asked)
            finally:
                self._all.held -= held
            response = asked
            if self._transport is None:
                return
            goes_on = goes_on and not self._all.is_draining
            self._transport.write(encoded(response, goes_on=goes_on, is_head=is_head))
            if self._can_write is not None:
                await self._can_write.wait()
            if not goes_on:
                self._closing = True
        self._is_busy = False
        self._rest()
