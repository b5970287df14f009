"""Answers of any length: whole, and in little memory, however slowly they are read."""

import asyncio
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from tests.compat.door import open_door

from homeostat.core.records.tracking import Point, Run, RunStatus
from homeostat.storage.blobs import LocalBlobs
from homeostat.storage.sql.store import open_store
from homeostat.web.mlflow_api.endpoint import Reply
from homeostat.web.mlflow_api.spool import spooled

API = "/api/2.0/mlflow/"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
POINTS = 70_000  # more than is kept in memory


class Clock:
    def now(self):
        return datetime.now(UTC)


def a_run(tx, n):
    run_id = f"{n:032x}"
    started = NOW + timedelta(seconds=n)
    tx.runs.create(
        Run(
            run_id=run_id,
            experiment_id="0",
            name=f"r{n}",
            status=RunStatus.FINISHED,
            started=started,
            params={f"p{k}": str(n) for k in range(10)},
        )
    )
    return run_id


def history(tx, run_id, first, last):
    tx.runs.log_points(run_id, "0", [Point("loss", n * 0.5, n, n) for n in range(first, last)])


@pytest.fixture
def door(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'db'}")
    with store.write() as tx:
        history(tx, a_run(tx, 1), 0, POINTS)
    with open_door(store=store, blobs=LocalBlobs(tmp_path / "blobs"), clock=Clock()) as address:
        yield address.removeprefix("http://")
    store.close()


def ask(door, path, body=None):
    link = http.client.HTTPConnection(door, timeout=120)
    content = None if body is None else json.dumps(body)
    link.request("GET" if body is None else "POST", API + path, content, {"Content-Type": "application/json"})
    answer = link.getresponse()
    found = answer.read()
    link.close()
    assert answer.status == 200, found[:500]
    return found


HISTORY = f"metrics/get-history?run_id={1:032x}&metric_key=loss"


def test_a_list_is_the_same_in_memory_and_in_a_file():
    assert spooled("runs", []) == Reply(b"{}")
    assert spooled("runs", [[], [{"a": 1}], [], [{"b": [2]}]]).body == b'{"runs":[{"a":1},{"b":[2]}]}'
    assert json.loads(spooled("runs", [[1]], token="t").body) == {"runs": [1], "next_page_token": "t"}
    assert json.loads(spooled("runs", [[]], token="t").body) == {"next_page_token": "t"}
    large = spooled("runs", (["x" * 1000] * 1000 for _ in range(6)))
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(large({}, None, send))
    body = b"".join(message.get("body", b"") for message in sent)
    assert json.loads(body) == {"runs": ["x" * 1000] * 6000}
    assert dict(sent[0]["headers"])[b"content-length"] == str(len(body)).encode()
    assert not isinstance(large, Reply)
    assert sent[-1] == {"type": "http.response.body", "body": b""}


def test_a_long_history_is_whole(door):
    found = json.loads(ask(door, HISTORY))
    assert [point["step"] for point in found["metrics"]] == list(range(POINTS))
    assert found.keys() == {"metrics"}


def test_slow_readers_of_long_answers_do_not_stop_others(door):
    links = []
    try:
        for _ in range(10):
            host, port = door.split(":")
            link = socket.create_connection((host, int(port)), timeout=60)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.sendall(f"GET {API}{HISTORY} HTTP/1.1\r\nHost: {door}\r\n\r\n".encode())
            assert link.recv(100)
            links.append(link)
        assert json.loads(ask(door, "experiments/get?experiment_id=0"))["experiment"]["name"] == "Default"
        body = {"run_id": f"{1:032x}", "key": "other", "value": 1.0, "timestamp": 1}
        assert ask(door, "runs/log-metric", body) == b"{}"
        assert len(json.loads(ask(door, HISTORY))["metrics"]) == POINTS
    finally:
        for link in links:
            link.close()


def test_a_reader_that_goes_away_leaves_no_file_open(door):
    before = _open_files()
    for _ in range(3):
        host, port = door.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as link:
            link.sendall(f"GET {API}{HISTORY} HTTP/1.1\r\nHost: {door}\r\n\r\n".encode())
            assert link.recv(100)
    deadline = time.monotonic() + 60
    while _open_files() > before:
        assert time.monotonic() < deadline
        ask(door, "experiments/get?experiment_id=0")


def _open_files():
    """Return how many files without a name this process holds."""
    found = 0
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # it was closed meanwhile
            found += str(each.readlink()).endswith("(deleted)")
    return found


@pytest.mark.long
def test_memory_does_not_grow_with_fifty_thousand_runs_and_a_million_points(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'db'}")
    for start in range(0, 50_000, 1000):
        with store.write() as tx:
            for n in range(start, start + 1000):
                a_run(tx, n)
    for start in range(0, 1_000_000, 50_000):
        with store.write() as tx:
            history(tx, f"{1:032x}", start, start + 50_000)
    store.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = ["--database", f"sqlite:///{tmp_path / 'db'}", "--artifacts", str(tmp_path / "a")]
    with subprocess.Popen([sys.executable, "-m", "homeostat.web.tracking", "--port", str(port), *places]) as server:
        try:
            door = f"127.0.0.1:{port}"
            _until_up(door)
            ask(door, "runs/search", {"experiment_ids": ["0"], "max_results": 100})
            process = psutil.Process(server.pid)
            idle = process.memory_info().rss
            peak, stop = [idle], threading.Event()

            def watch():
                while not stop.wait(0.01):
                    peak.append(process.memory_info().rss)

            watcher = threading.Thread(target=watch)
            watcher.start()
            try:
                found = ask(door, "runs/search", {"experiment_ids": ["0"], "max_results": 50_000})
                assert len(json.loads(found)["runs"]) == 50_000
                assert len(json.loads(ask(door, HISTORY))["metrics"]) == 1_000_000
            finally:
                stop.set()
                watcher.join()
            assert max(peak) - idle < 100_000_000, f"{(max(peak) - idle) / 1e6:.0f} MB more"
            print(f"grew by {(max(peak) - idle) / 1e6:.0f} MB")
        finally:
            server.terminate()


def _until_up(door):
    deadline = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(tuple(door.split(":")), timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
