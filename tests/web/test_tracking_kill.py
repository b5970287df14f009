"""kill -9 under load: whatever was answered is there afterwards."""

import http.client
import json
import random
import socket
import subprocess
import sys
import threading
import time

import pytest

from homeostat.audit.log import verify
from homeostat.storage.sql.store import open_store

CLIENTS = 6


class Server:
    def __init__(self, folder):
        self.database = f"sqlite:///{folder}/a.db"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = ["--port", str(self.port), "--database", self.database, "--artifacts", str(folder / "blobs")]
        self.process = subprocess.Popen([sys.executable, "-m", "homeostat.web.tracking", *options])

    def wait(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the server ended by itself"
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    connection.close()
                    return
            except OSError:
                time.sleep(0.01)
        raise AssertionError("the server does not answer")

    def kill(self):
        self.process.kill()
        self.process.wait()


class Writer(threading.Thread):
    """Opens runs and fills them, and remembers what was answered with 200, until the connection breaks."""

    def __init__(self, port, seed):
        super().__init__()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.random = random.Random(seed)
        self.runs, self.wrong = {}, []

    def post(self, path, **fields):
        body = json.dumps(fields)
        self.connection.request("POST", f"/api/2.0/mlflow/{path}", body, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            self.wrong.append((path, answer.status, content))
        return json.loads(content)

    def run(self):
        try:
            while True:
                self.fill(self.post("runs/create", experiment_id="0", start_time=1)["run"]["info"]["run_id"])
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            return  # killed
        finally:
            self.connection.close()

    def fill(self, run_id):
        known = self.runs[run_id] = {"metrics": set(), "params": {}, "tags": {}, "status": "RUNNING"}
        for number in range(self.random.randint(1, 8)):
            match self.random.randrange(4):
                case 0:
                    self.post(
                        "runs/log-metric", run_id=run_id, key="m", value=number + 0.5, timestamp=number, step=number
                    )
                    known["metrics"].add(("m", number + 0.5))
                case 1:
                    values = [self.random.random() for _ in range(self.random.randint(1, 60))]
                    points = [{"key": "b", "value": v, "timestamp": i, "step": number} for i, v in enumerate(values)]
                    self.post(
                        "runs/log-batch", run_id=run_id, metrics=points, params=[{"key": f"p{number}", "value": "x"}]
                    )
                    known["metrics"] |= {("b", value) for value in values}
                    known["params"][f"p{number}"] = "x"
                case 2:
                    self.post("runs/set-tag", run_id=run_id, key="t", value=str(number))
                    known["tags"]["t"] = str(number)
                case 3:
                    self.post("runs/update", run_id=run_id, status="FINISHED", end_time=number)
                    known["status"] = "FINISHED"


def check(database, runs):
    """Compare the store with what was answered; it may hold more: what was on disk when the answer was on its way."""
    store = open_store(database)
    with store.read() as tx:
        for run_id, known in runs.items():
            (detail,) = tx.runs.details([run_id])
            held = {(key, point.value) for key in ("m", "b") for point in tx.runs.points(run_id, key)}
            assert known["metrics"] <= held
            assert known["params"].items() <= detail.run.params.items()
            assert int(known["tags"].get("t", -1)) <= int(detail.run.tags.get("t", -1))
            if known["status"] == "FINISHED":
                assert detail.run.status.value == "FINISHED"
            latest = {point.key: point for point in detail.latest}
            for key, point in latest.items():
                newest = max(tx.runs.points(run_id, key), key=lambda p: (p.step, p.time_ms, p.value))
                assert point == newest
    assert verify(store) >= len(runs)
    store.close()


def rounds(folder, count, capsys):
    everything = {}
    for number in range(count):
        seed = random.SystemRandom().randrange(2**32)
        with capsys.disabled():
            print(f"[kill {number}: seed {seed}]", end=" ", flush=True)
        server = Server(folder)
        server.wait()
        writers = [Writer(server.port, seed + n) for n in range(CLIENTS)]
        for writer in writers:
            writer.start()
        time.sleep(random.Random(seed).uniform(0.05, 0.8))  # when to kill is what is random here
        server.kill()
        for writer in writers:
            writer.join()
            assert writer.wrong == []
            everything |= writer.runs
        check(server.database, everything)
    assert len(everything) > count
    return everything


def test_three_kills_lose_nothing_that_was_answered(tmp_path, capsys):
    rounds(tmp_path, 3, capsys)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_fifty_kills_lose_nothing_that_was_answered(tmp_path, capsys):
    rounds(tmp_path, 50, capsys)
