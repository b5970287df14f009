"""The commands beside a running `homeostat up`."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time

import polars as pl
import pytest
from tests.cli.shell import shop


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def served(trained):
    """A project with a champion and its server; `served.port` answers predictions."""
    shell = trained
    shell.port = free_port()
    shell.set("port: 8700", f"port: {shell.port}")
    shell.set("control_port: 8701", f"control_port: {free_port()}")
    shell.set("shadow_requests: 100", "shadow_requests: 5")
    shell.set("canary: [{percent: 10.0, requests: 100, time: 0s}", "canary: [{percent: 10.0, requests: 1, time: 0s}")
    shell.set("poll: 1s", "poll: 100ms")
    shell.ok("models", "promote", "1")
    with (shell.folder.parent / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [sys.executable, "-m", "homeostat", "up", "--every", "0.2"], cwd=shell.folder, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 60
        while "pages " not in (shell.folder.parent / "up.log").read_text():
            assert up.poll() is None, (shell.folder.parent / "up.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield shell
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(30)


def ask(port: int, row: dict, request_id: str) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        body = json.dumps({"rows": [row], "request_id": request_id})
        connection.request("POST", "/models/shop/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        found = json.loads(answer.read())
        assert answer.status == 200, found
        return found


def test_the_whole_of_it_by_command(served):
    assert "version 1 answers; 1 worker up" in served.ok("status").out
    # not in this process: `up` becomes the supervisor
    second = subprocess.run(
        [sys.executable, "-m", "homeostat", "up"], cwd=served.folder, capture_output=True, text=True, check=False
    )
    assert second.returncode == 6
    assert "running already" in second.stderr

    rows = shop(40, seed=5).with_columns(pl.col("visited").dt.to_string("iso:strict")).to_dicts()
    truth = [row.pop("bought") for row in rows]
    for i, row in enumerate(rows):
        assert ask(served.port, row, f"r{i}")["version"] == 1

    # labels from a file, twice: the second time changes nothing
    pl.DataFrame({"request_id": [f"r{i}" for i in range(40)], "value": truth}).write_csv(served.folder / "labels.csv")
    assert served.ok("labels", "labels.csv").out == "40 labels taken\n"
    served.ok("labels", "labels.csv")
    pl.DataFrame({"request_id": ["r1"], "value": ["perhaps"]}).write_csv(served.folder / "wrong.csv")
    said = served("labels", "wrong.csv")
    assert said.status == 2
    assert "'wrong.csv': row 1: value: expected" in said.err
    assert "perhaps" in said.err
    pl.DataFrame({"request_id": ["r1"], "truth": ["yes"]}).write_csv(served.folder / "odd.csv")
    assert served("labels", "odd.csv").status == 2

    # a promotion by hand is acknowledged when the worker has switched
    served.ok("train", "--no-cache")
    assert "1 worker has switched" in served.ok("models", "promote", "2").out
    assert ask(served.port, rows[0], "after")["version"] == 2
    assert "1 worker has switched" in served.ok("models", "rollback").out
    assert ask(served.port, rows[0], "back")["version"] == 1

    # a cycle by hand, with traffic beside it
    stop = threading.Event()

    def traffic() -> None:
        for i in range(100_000):
            if stop.wait(0.005):
                return
            ask(served.port, rows[i % len(rows)], f"t{i}")

    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        said = served("retrain", "--because", "to see it", "--force", "80 rows prove little", "--wait")
    finally:
        stop.set()
        thread.join()
    assert "waits for requests" in said.err, said.out
    assert said.status == 0, said.out + said.err
    assert "promoted" in said.out
    assert served.ok("audit", "verify").out.startswith("the audit log is intact")


def test_a_port_for_grpc_that_is_taken_is_told_before_anything_starts(trained):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        trained.set("port: 8700", f"port: {free_port()}")
        trained.set("control_port: 8701", f"control_port: {free_port()}")
        trained.set("grpc_port: null", f"grpc_port: {port}")
        up = subprocess.run(
            [sys.executable, "-m", "homeostat", "up"], cwd=trained.folder, capture_output=True, text=True, check=False
        )
    assert up.returncode == 5
    assert f"cannot listen on 127.0.0.1:{port}" in up.stderr
    assert "serve.grpc_port" in up.stderr
    assert "starting" not in up.stderr


def test_labels_without_a_server_say_how_to_start_one(shell):
    shell.init()
    shell.set("port: 8700", f"port: {free_port()}")
    pl.DataFrame({"key": ["a"], "value": ["yes"]}).write_csv(shell.folder / "labels.csv")
    said = shell("labels", "labels.csv")
    assert said.status == 5
    assert "homeostat up" in said.err
