"""Requests that are large, slow or never end: memory stays bounded, and others are answered meanwhile."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

SMALL = json.dumps({"rows": [{"a": 1.0, "b": 2.0, "c": 3.0}]}).encode()
PREDICT, INFER, INVOKE = "/models/sum/predict", "/v2/models/sum/infer", "/invocations"
ROOT = Path(__file__).parents[3]
MB = 1 << 20


class Server:
    """A process that serves, its memory and what others see meanwhile."""

    def __init__(self, folder, *, max_rows=10_000, max_body="16MB"):
        command = [sys.executable, "-m", "tests.serve.hostile.big_server", str(folder), str(max_rows), max_body]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
        )
        self.port = int(self._process.stdout.readline())
        self._told = psutil.Process(self._process.pid)
        for _ in range(3):
            assert self.ask(SMALL)[0] == 200
        self.before = self.peak = self._told.memory_info().rss
        self.answered = 0
        self._stop = threading.Event()
        self._watching = [threading.Thread(target=self._watch), threading.Thread(target=self._ask_on)]
        for thread in self._watching:
            thread.start()

    def ask(self, body, path=PREDICT, headers=None):
        """Return status and body. A client that sends on and on still reads why it was refused."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=280)
        with contextlib.closing(link):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                link.request("POST", path, body, headers or {})
            answer = link.getresponse()
            return answer.status, answer.read()

    def _watch(self):
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, self._told.memory_info().rss)

    def _ask_on(self):
        while not self._stop.wait(0.01):
            assert self.ask(SMALL)[0] == 200
            self.answered += 1

    @property
    def grown_mb(self):
        return (self.peak - self.before) / MB

    def close(self):
        self._stop.set()
        for thread in self._watching:
            thread.join(60)
        self._process.stdin.close()
        assert self._process.wait(60) == 0
        self._process.stdout.close()


@pytest.fixture
def serving(tmp_path):
    """Return what starts servers; they end with the test."""
    made = []

    def start(**options):
        made.append(Server(tmp_path, **options))
        return made[-1]

    yield start
    for server in made:
        server.close()


def binary(rows, dtype="<f8", datatype="FP64"):
    raw = np.full(rows, 0.5, dtype).tobytes()
    inputs = [
        {"name": name, "shape": [rows], "datatype": datatype, "parameters": {"binary_data_size": len(raw)}}
        for name in "abc"
    ]
    head = json.dumps({"inputs": inputs}).encode()
    return head + raw * 3, INFER, {"inference-header-content-length": str(len(head))}


def bodies(rows):
    """Return so many rows at every door: body, path and headers."""
    return {
        "native": (b'{"rows":[' + b",".join([b'{"a":0.125,"b":1.25,"c":null}'] * rows) + b"]}", PREDICT, None),
        "binary": binary(rows),
        "dataframe_split": (
            b'{"dataframe_split":{"data":[' + b",".join([b"[0.125,1.25,null]"] * rows) + b"]}}",
            INVOKE,
            None,
        ),
        "csv": (b"a,b,c\n" + b"0.125,1.25,\n" * rows, INVOKE, {"content-type": "text/csv"}),
    }


def answered_meanwhile(server, work):
    """Return what the work returns, in a thread; others got answers between its begin and its end."""
    before = server.answered
    found = work()
    return found, server.answered - before


def test_a_million_rows_are_refused_by_default_and_cost_little(serving):
    server = serving()
    for door, (body, path, headers) in bodies(1_000_000).items():
        status, told = server.ask(body, path, headers)
        assert status in (413, 422), door
        assert b"max_body" in told or b"max_rows" in told
    body, path, headers = binary(1_000_000, "<f2", "FP16")  # 6 MB: short enough, and too many
    status, told = server.ask(body, path, headers)
    assert (status, b"1000000 rows" in told) == (422, True)
    flood = b'{"dataframe_split":{"data":[' + b",".join([b"[]"] * 5_000_000) + b"]}}"  # little text, many lists
    assert server.ask(flood, INVOKE)[0] == 422
    assert server.grown_mb < 1200, server.grown_mb
    assert server.answered


def test_slow_half_and_broken_requests_leave_room_for_others(serving):
    server = serving()
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15000000\r\n\r\n".encode()
    with contextlib.ExitStack() as open_ones:

        def connect():
            return open_ones.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))

        for at in range(150):  # slow ones: within the head, within the body
            connect().sendall(head[: 20 + at % 40] if at % 2 else head + b" " * 500)
        for _ in range(20):  # long bodies, almost whole
            link = connect()
            with contextlib.suppress(ConnectionError):
                link.sendall(head + b" " * 14_900_000)
        status, told = server.ask(SMALL)
        assert status == 200, told
        assert server.grown_mb < 700, server.grown_mb  # 256 MB of bodies, and what buffers and pieces cost
        half = connect()
        half.sendall(
            b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
            % (PREDICT.encode(), len(SMALL), SMALL)
        )
        half.shutdown(socket.SHUT_WR)
        assert half.makefile("rb").read().startswith(b"HTTP/1.1 200")
        never = connect()
        never.sendall(head[:-10])
        never.shutdown(socket.SHUT_WR)
        assert never.makefile("rb").read() == b""
        before = server.answered
    until = threading.Event()
    while server.answered < before + 5:
        until.wait(0.02)


def test_why_a_hundred_megabytes_are_refused_reaches_who_is_still_sending(serving):
    server = serving()
    status, told = server.ask(b"x" * (100 * MB))
    assert (status, json.loads(told)["error"]["code"]) == (413, "too_large")
    parts = (b"%x\r\n" % MB + b"x" * MB + b"\r\n" for _ in range(100))
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as link:
        link.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            for part in parts:
                link.sendall(part)
        assert link.makefile("rb").readline().startswith(b"HTTP/1.1 413")
    assert server.ask(SMALL)[0] == 200
    assert server.grown_mb < 300, server.grown_mb


def test_who_asks_much_and_reads_nothing_costs_little(serving):
    server = serving()
    ask = b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (PREDICT.encode(), len(SMALL), SMALL)
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as link:
        with pytest.raises(TimeoutError):  # all buffers are full, as nobody reads, and the server reads no more
            link.sendall(ask * 400_000)
        assert server.ask(SMALL)[0] == 200
    assert server.grown_mb < 100, server.grown_mb


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("door", ["native", "binary", "dataframe_split", "csv"])
def test_a_million_rows_are_answered_where_that_is_allowed_and_others_meanwhile(serving, door):
    server = serving(max_rows=1_000_000, max_body="200MB")
    body, path, headers = bodies(1_000_000)[door]
    (status, told), others = answered_meanwhile(server, lambda: server.ask(body, path, headers))
    assert status == 200, told[:200]
    found = json.loads(told)
    values = found["outputs"][0]["data"] if door == "binary" else found["predictions"]
    assert len(values) == 1_000_000
    assert values[-1] == {"native": {"prediction": 1.375}, "binary": 1.5}.get(door, 1.375)
    assert others > 5
    assert server.grown_mb < 2500, server.grown_mb


@pytest.mark.long
@pytest.mark.timeout(900)
def test_many_long_requests_at_once_take_the_memory_of_one(serving):
    server = serving(max_rows=200_000, max_body="100MB")
    body, path, headers = bodies(200_000)["native"]
    statuses = []
    asking = [threading.Thread(target=lambda: statuses.append(server.ask(body, path, headers)[0])) for _ in range(8)]
    before = server.answered
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert statuses == [200] * 8
    assert server.answered > before + 5
    assert server.grown_mb < 1000, server.grown_mb


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_body_of_a_hundred_megabytes_is_answered_where_that_is_allowed(serving):
    server = serving(max_rows=100, max_body="150MB")
    body = SMALL[:-1] + b" " * (100 * MB) + b"}"
    (status, told), _ = answered_meanwhile(server, lambda: server.ask(body))
    assert status == 200, told[:200]
    broken = body[:-1]
    assert server.ask(broken)[0] == 400
    many = b'{"rows":[' + b",".join([b'{"a":0.125,"b":1.25,"c":null}'] * 3_000_000) + b"]}"
    assert server.ask(many)[0] == 422
    assert server.grown_mb < 2500, server.grown_mb
