import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from homeostat.serve.connection import Connection
from homeostat.serve.connections import Connections, Limits
from homeostat.serve.exchange import Request, Response
from homeostat.serve.heads import Heads


class Forgetful(Heads):
    """Never saw any head before."""

    def find(self, data: bytes) -> None:  # type: ignore[override]
        del data


class Line:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 5) if name == "peername" else None

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.sent.append(b"closed")

    abort = close

    def write_eof(self) -> None:
        self.sent.append(b"eof")

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def said(pieces: list[bytes], heads: Heads) -> list[Any]:
    """Return every request that two connections saw in the pieces, and what was written back, byte for byte."""
    seen: list[Any] = []

    async def answer(request: Request) -> Response:
        seen.append((request.method, request.path, request.query, dict(request.headers), request.body))
        return Response(body=request.body)

    async def talk() -> None:
        connections = Connections(answer=answer, limits=Limits(body_bytes=1000), heads=heads)
        for _ in range(2):
            line = Line()
            connection = Connection(connections)
            connection.connection_made(line)  # type: ignore[arg-type]
            for piece in pieces:
                connection.data_received(piece)
                for _turn in range(4):
                    await asyncio.sleep(0)
            seen.append(tuple(line.sent))

    asyncio.run(talk())
    return seen


def post(
    body: bytes, *headers: str, line: str = "POST /models/m/predict?q=1 HTTP/1.1", length: int | None = None
) -> bytes:
    told = [line, "Host: h", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(told).encode() + b"\r\n\r\n" + body


REQUESTS = [
    post(b"{}"),
    post(b"[]"),
    post(b""),
    post(b"{}", "Connection: close"),
    post(b"{}", "X-Request-Id: a"),
    post(b"{}", line="POST /models/m/predict HTTP/1.0"),
    post(b"{}", length=5),
    post(b"a\r\n\r\nbc"),
    post(b"{}").replace(b"\r\n", b"\n"),
    post(b"{}", "Transfer-Encoding: chunked"),
    post(b"2\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked").replace(b"Content-Length: 11\r\n", b""),
    post(b"{}", "Content-Length: 3"),
    post(b"{}", "Expect: 100-continue"),
    b"\r\n" + post(b"{}"),
    b"\r\n\r\n" + post(b"{}"),
    b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\r\n\r\n{}",
    b"",
]


@given(st.data())
def test_a_known_head_means_what_reading_it_again_would(data):
    """Whole requests, halves, several at once, and broken ones: nobody can tell whether heads are remembered."""
    stream = data.draw(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=6))
    pieces = []
    for request in stream:
        cut = data.draw(st.integers(0, len(request)))
        pieces += [request] if data.draw(st.booleans()) else [request[:cut], request[cut:]]
    if data.draw(st.booleans()):
        pieces = [b"".join(pieces[:2]), *pieces[2:]]
    assert said(pieces, Heads()) == said(pieces, Forgetful())


def test_a_head_is_known_from_the_second_time_on():
    heads = Heads()
    assert heads.find(post(b"{}")) is None
    said([post(b"{}")], heads)
    found = heads.find(post(b"[]"))
    assert found is not None
    assert (found[0].path, found[1]) == ("/models/m/predict", b"[]")
    assert heads.find(post(b"[]") + b"x") is None
    assert heads.find(post(b"[]")[:-1]) is None


def test_heads_that_differ_every_time_do_not_pile_up():
    heads = Heads()
    for number in range(3000):
        request = Request(method="POST", path="/", headers={"content-length": "0", "x": str(number)})
        heads.remember(post(b"", f"x: {number}"), request, None)
    assert len(heads._known) <= 1024
