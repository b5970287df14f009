"""Heads of requests that were read before, by their very bytes: clients send the same ones again and again, and reading one costs more than answering.

A head is kept only where nothing but its bytes can matter: a whole request in one piece, HTTP/1.1 that goes on, every line ended by CR LF, a
length and no other framing. Then the same bytes, with so many behind them, are the same request with another body.
"""

from collections.abc import Callable, Mapping

import msgspec

from homeostat.serve.exchange import Request, Response

Reply = Callable[[Response], None]
Take = Callable[[Request, Reply], bool]

_MOST = 1024
_LONGEST = 2048
_END = b"\r\n\r\n"
_FRAMING = frozenset(["transfer-encoding", "content-encoding", "expect", "upgrade", "connection", "trailer"])


class Head(msgspec.Struct, kw_only=True, eq=False):
    """`length`: of the body. `take`: the short way for such requests, where there is one (see `express`)."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    length: int
    take: Take | None


class Heads:
    """The heads that a process remembers. When there are too many it begins anew."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def find(self, data: bytes) -> tuple[Head, bytes] | None:
        """Return the head and the body, where the bytes are one request of a known head, whole."""
        end = data.find(_END) + 4
        head = self._known.get(data[:end])
        if head is None or len(data) - end != head.length:
            return None
        return head, data[end:]

    def remember(self, data: bytes, request: Request, take: Take | None) -> None:
        """Keep the head of a request that was read from these bytes and nothing else, where it is simple enough."""
        end = data.find(_END) + 4
        length = request.headers.get("content-length", "")
        if not (
            4 < end <= _LONGEST
            and length.isdigit()
            and len(data) - end == int(length)
            and data[:1].isalpha()
            and data.count(b"\n", 0, end) == data.count(b"\r\n", 0, end)
            and _FRAMING.isdisjoint(request.headers)
        ):
            return
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[data[:end]] = Head(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            length=int(length),
            take=take,
        )
