"""HTTP/1.1 by bytes over a socket: what well-behaved clients may rely on, and what others get."""

import gzip
import json
import socket
import time
import zlib

import pytest

from homeostat.core.records.routes import Route
from homeostat.serve.connections import Limits
from homeostat.serve.forgets import Forgets
from homeostat.serve.settings import ServeSettings
from homeostat.testing import serving as fakes

BODY = json.dumps({"rows": [fakes.ROW]}).encode()


@pytest.fixture
def server():
    engine = fakes.EngineInThread(
        fakes.Versions({1: fakes.Says(0.75)}),
        Forgets(),
        fakes.FixedClock(),
        settings=ServeSettings(max_body="10KB"),
    )
    engine.switch(Route(model="late", generation=1, champion=1))
    yield engine
    assert engine.close(10)


class Raw:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def answer(self):
        """Return (status, headers, body) of the next answer, None at the end of the stream."""
        line = self.file.readline()
        if not line:
            return None
        headers = {}
        while (header := self.file.readline().strip()) != b"":
            name, _, value = header.partition(b": ")
            headers[name.decode().lower()] = value.decode()
        return int(line.split()[1]), headers, self.file.read(int(headers.get("content-length", 0)))


def post(body=BODY, *, path="/models/late/predict", headers=(), length=None):
    head = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


@pytest.fixture
def connect():
    """Return what connects to a port; every connection is closed in the end."""
    made = []

    def to(port):
        made.append(Raw(port))
        return made[-1]

    yield to
    for client in made:
        client.close()


@pytest.fixture
def raw(server, connect):
    return connect(server.port)


def test_a_connection_is_kept_and_requests_in_a_row_are_answered_in_order(raw):
    raw.send(post() + post(path="/nothing") + post() + b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert [raw.answer()[0] for _ in range(4)] == [200, 404, 200, 200]


def test_more_requests_at_once_than_may_wait_are_all_answered(raw):
    raw.send(b"".join(post(json.dumps({"rows": [fakes.ROW], "request_id": f"r{n}"}).encode()) for n in range(60)))
    assert [json.loads(raw.answer()[2])["request_id"] for _ in range(60)] == [f"r{n}" for n in range(60)]


def test_a_request_in_single_bytes_is_a_request(raw):
    for at in range(len(request := post())):
        raw.send(request[at : at + 1])
    assert raw.answer()[0] == 200


def test_a_body_in_chunks_is_a_body(raw):
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:7], BODY[7:])) + b"0\r\n\r\n"
    raw.send(b"POST /models/late/predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert raw.answer()[0] == 200


def test_head_has_the_length_and_no_body(raw):
    raw.send(b"HEAD /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    line = raw.file.readline()
    assert b"200" in line
    headers = []
    while header := raw.file.readline().strip():
        headers.append(header)
    assert b"content-length: 13" in headers
    raw.send(post())
    assert raw.answer()[0] == 200


def test_who_asks_to_continue_is_told_to(raw):
    request = post(headers=["Expect: 100-continue"])
    head, body = request[: -len(BODY)], request[-len(BODY) :]
    raw.send(head)
    assert raw.file.readline().startswith(b"HTTP/1.1 100")
    raw.file.readline()
    raw.send(body)
    assert raw.answer()[0] == 200


@pytest.mark.parametrize("closing", [["Connection: close"], []])
def test_a_client_that_wants_to_close_is_answered_first(raw, closing):
    client = raw
    client.send(post(headers=closing))
    if not closing:
        client.socket.shutdown(socket.SHUT_WR)  # half closed: it sends no more, and reads on
    assert client.answer()[0] == 200
    assert client.answer() is None


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body_is_read(raw, encoding, pack):
    raw.send(post(pack(BODY), headers=[f"Content-Encoding: {encoding}"]))
    assert raw.answer()[0] == 200


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (gzip.compress(b" " * 50_000_000, mtime=0), ["Content-Encoding: gzip"], 413),
        (b"\x1f\x8bnot gzip", ["Content-Encoding: gzip"], 400),
        (gzip.compress(BODY, mtime=0)[:-9], ["Content-Encoding: gzip"], 400),
        (BODY, ["Content-Encoding: br"], 415),
        (BODY, [f"X-{n}: x" for n in range(200)], 431),
        (BODY, ["X: " + "x" * 40_000], 431),
    ],
)
def test_what_cannot_be_taken_is_refused_in_words(raw, body, headers, status):
    raw.send(post(body, headers=headers))
    found, _, told = raw.answer()
    assert found == status
    assert json.loads(told)["error"]["hint"]


def test_a_length_that_is_too_much_is_refused_before_the_body_comes(raw):
    raw.send(post(b"", length=10**12))
    assert raw.answer()[0] == 413
    assert raw.answer() is None


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"GET\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_bytes_that_are_no_request_get_an_answer_and_the_end(raw, request_bytes):
    raw.send(request_bytes)
    assert raw.answer()[0] == 400
    assert raw.answer() is None


def test_two_lengths_are_no_request(raw):
    raw.send(
        b"POST /models/late/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"
    )
    assert raw.answer()[0] == 400


def test_a_request_that_does_not_become_whole_is_given_up(monkeypatch, connect):
    monkeypatch.setattr("homeostat.serve.engine.Limits", lambda **given: Limits(**given, request_s=0.2))
    monkeypatch.setattr("homeostat.serve.engine._SWEEP_S", 0.05)
    engine = fakes.EngineInThread(fakes.Versions({1: fakes.Says(0.75)}), Forgets(), fakes.FixedClock())
    client = connect(engine.port)
    client.send(b"POST /models/late/predict HTTP/1.1\r\nHost: loc")
    began = time.monotonic()
    assert client.answer()[0] == 408
    assert time.monotonic() - began < 8
    assert client.answer() is None
    assert engine.close(10)


def test_a_client_that_goes_away_harms_nobody(server, connect):
    for request in [post()[:-5], post()] * 20:
        client = connect(server.port)
        client.send(request)
        client.close()
    client = connect(server.port)
    client.send(post())
    assert client.answer()[0] == 200
