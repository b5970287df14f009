"""Large files over real HTTP: broken uploads, slow readers, memory."""

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import psutil
import pytest
from tests.compat.door import open_door

from homeostat.storage.blobs import LocalBlobs
from homeostat.storage.sql.store import open_memory_store

FILES = "/api/2.0/mlflow-artifacts/artifacts/"
MEGABYTE = 1 << 20


class Clock:
    def now(self):
        return datetime.now(UTC)


@pytest.fixture
def door(tmp_path):
    store = open_memory_store()
    with open_door(store=store, blobs=LocalBlobs(tmp_path / "blobs"), clock=Clock()) as address:
        yield address.removeprefix("http://")
    store.close()


def everything(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextmanager
def connected(door):
    host, port = door.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as link:
        yield link


def test_an_upload_whose_client_dies_leaves_nothing(door, tmp_path):
    for framing in (b"Content-Length: 50000000", b"Transfer-Encoding: chunked"):
        with connected(door) as link:
            link.sendall(b"PUT %s1/big HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n" % (FILES.encode(), door.encode(), framing))
            chunk = b"x" * MEGABYTE
            for _ in range(5):
                link.sendall(chunk if framing.startswith(b"C") else b"100000\r\n" + chunk + b"\r\n")
            until(lambda: everything(tmp_path / "blobs"))  # it is under way
        until(lambda: not everything(tmp_path / "blobs"))
    assert not (tmp_path / "blobs" / "artifacts").exists()
    assert (tmp_path / "blobs" / ".staging").stat().st_mode & 0o777 == 0o700


def test_slow_readers_do_not_stop_others(door, tmp_path):
    LocalBlobs(tmp_path / "blobs").put_bytes("artifacts/1/big", os.urandom(30 * MEGABYTE))
    links = []
    try:
        for _ in range(10):
            host, port = door.split(":")
            link = socket.create_connection((host, int(port)), timeout=30)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.sendall(f"GET {FILES}1/big HTTP/1.1\r\nHost: {door}\r\n\r\n".encode())
            assert link.recv(100)
            links.append(link)
        start = time.monotonic()
        other = http.client.HTTPConnection(door, timeout=30)
        other.request("GET", f"{FILES}1/big")
        assert len(other.getresponse().read()) == 30 * MEGABYTE
        other.request("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0")
        assert other.getresponse().status == 200
        other.close()
        assert time.monotonic() - start < 10
    finally:
        for link in links:
            link.close()


def test_a_foreign_host_gets_no_file(door, tmp_path):
    LocalBlobs(tmp_path / "blobs").put_bytes("artifacts/1/a", b"secret")
    link = http.client.HTTPConnection(door, timeout=30)
    link.request("GET", f"{FILES}1/a", headers={"Host": "rebound.example"})
    answer = link.getresponse()
    assert (answer.status, b"secret" in answer.read()) == (403, False)
    link.request("GET", f"{FILES}..%252f..%252fetc%252fpasswd")
    assert link.getresponse().status == 400
    link.close()


@pytest.mark.parametrize("megabytes", [20, pytest.param(205, marks=pytest.mark.long)])
def test_memory_does_not_grow_with_files_ten_at_once(tmp_path, megabytes):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "homeostat.web.tracking", "--port", str(port)]
    places = ["--database", f"sqlite:///{tmp_path / 'db'}", "--artifacts", str(tmp_path / "a")]
    with subprocess.Popen([*command, *places]) as server:
        try:
            until(lambda: _answers(port), 60)
            process = psutil.Process(server.pid)
            idle = process.memory_info().rss
            peak, stop = [idle], threading.Event()

            def watch():
                while not stop.wait(0.02):
                    peak.append(process.memory_info().rss)

            watcher = threading.Thread(target=watch)
            watcher.start()
            movers = [threading.Thread(target=_there_and_back, args=(port, n, megabytes)) for n in range(10)]
            for mover in movers:
                mover.start()
            for mover in movers:
                mover.join()
            stop.set()
            watcher.join()
            assert len(everything(tmp_path / "a")) == 10
            assert max(peak) - idle < 50_000_000
        finally:
            server.terminate()


def _answers(port):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        link.request("GET", "/health")
        return link.getresponse().status == 200
    except OSError:
        return False
    finally:
        link.close()


def _there_and_back(port, number, megabytes):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    piece = os.urandom(MEGABYTE)
    length = {"Content-Length": str(megabytes * MEGABYTE)}
    link.request("PUT", f"{FILES}1/{number}", body=(piece for _ in range(megabytes)), headers=length)
    assert link.getresponse().read() == b""
    link.request("GET", f"{FILES}1/{number}")
    answer, size = link.getresponse(), 0
    while part := answer.read(MEGABYTE):
        size += len(part)
    assert size == megabytes * MEGABYTE
    link.close()
