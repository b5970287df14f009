"""A project that a real `homeostat up` serves, and a client that keeps count of what it was promised."""

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import psutil

from homeostat.app.project import load
from homeostat.app.wiring import House, open_house
from homeostat.audit.log import verify
from homeostat.core.errors import Conflict
from homeostat.core.records.cycles import Cycle
from homeostat.registry.versions import CHAMPION
from homeostat.retrain.requests import ask

MODEL = "churn"
YAML = """\
model: churn
task: binary
data: {{source: history.parquet, target: y, time: t}}
train: {{function: "model:train", max_rows: 180, params: {{seconds: 0.3}}}}
gate: {{infrastructure: {infrastructure}, champion: {{margin: 0.4}}}}
serve: {{port: {port}, control_port: {control_port}, drain: 2s}}
watch: {{window_rows: 400, min_labels: 50, decay: 0.8, drift: {{min_rows: 50}}}}
retrain:
  cooldown: 1s
  triggers: {{performance: {performance}}}
  rollout:
    shadow_requests: 20
    canary: [{{percent: 50, requests: 30}}]
    labels: {labels}
    max_latency_ratio: 1000
    patience: 60s
    poll: 100ms
"""
CODE = """\
import time
import numpy as np

class Rule:
    classes_ = np.array([0, 1])

    def __init__(self, low, high):
        self.low, self.high = low, high

    def predict_proba(self, X):
        p = np.where(X["a"].to_numpy() > 0.5, self.high, self.low)
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)

def train(data):
    time.sleep(float(data.params.get("seconds", 0.0)))
    a, y = data.X["a"].to_numpy(), data.y
    return Rule(float(y[a <= 0.5].mean()), float(y[a > 0.5].mean()))

def contrary(data):
    rule = train(data)
    return Rule(rule.high, rule.low)
"""


def rows(n: int, *, start: datetime, turned: bool, seed: int, step: timedelta = timedelta(milliseconds=5)):
    """Return rows whose label is a > 0.5 (b as noise), or the contrary when `turned`."""
    rng = np.random.default_rng(seed)
    a, b = rng.random(n), rng.choice(["x", "y", "z"], n)
    y = (a > 0.5) ^ (rng.random(n) < 0.1) ^ turned
    times = pl.Series("t", [start + i * step for i in range(n)], dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame({"t": times, "a": a, "b": b, "y": y.astype(int)})


def free_ports(n: int) -> list[int]:
    with_sockets = [socket.socket() for _ in range(n)]
    for one in with_sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in with_sockets]
    for one in with_sockets:
        one.close()
    return ports


def wait_until(condition, what: str, *, seconds: float = 120.0):
    """Return what the condition returns as soon as it is true. The patience is that of a busy machine; how long it takes is for benchmarks."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:g} s"
        time.sleep(0.05)
    return found


def get(port: int, path: str, *, method="GET", body=None, headers=None, timeout=10.0) -> tuple[int, str]:
    """Return (status, body), (0, why) where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, body=data, headers={"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return 0, repr(error)
    finally:
        connection.close()


@dataclass
class Site:
    """A project's folder and the `homeostat up` that runs in it."""

    root: Path
    infrastructure: bool = False
    performance: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    workers: int = 1
    process: subprocess.Popen | None = None
    beside: "list[Client | Witness]" = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.port, self.control_port = free_ports(2)
        self.root.mkdir(parents=True, exist_ok=True)
        text = YAML.format(
            infrastructure=str(self.infrastructure).lower(),
            performance=str(self.performance).lower(),
            # a loss is judged from 100 labelled requests on, of four rows each
            labels=450 if self.performance else 120,
            port=self.port,
            control_port=self.control_port,
        )
        (self.root / "homeostat.yaml").write_text(text)
        (self.root / "model.py").write_text(CODE)
        if not (self.root / "history.parquet").exists():
            past = datetime.now(UTC) - timedelta(minutes=5)
            rows(1000, start=past, turned=False, seed=1).write_parquet(self.root / "history.parquet")
        self._house: House | None = None

    @property
    def house(self) -> House:
        if self._house is None:
            self._house = open_house(load(self.root / "homeostat.yaml"), writer_id="test", actor="ann")
        return self._house

    def roll_back_nothing(self) -> None:
        """Let no canary be found worse: a model of 180 rows may well be a little worse than the last, which a slow machine has the time to find."""
        project = self.root / "homeostat.yaml"
        told = project.read_text()
        assert "    patience: 60s\n" in told
        project.write_text(told.replace("    patience: 60s\n", "    patience: 60s\n    alpha: 1.0e-9\n"))

    # -- processes

    def up(self, *options: str, wait: bool = True) -> float:
        """Start the server; return the seconds until both doors answered."""
        began = time.monotonic()
        with (self.root / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "homeostat", "up", "--every", "0.3", "--workers", str(self.workers), *options],
                cwd=self.root,
                stdout=log,
                stderr=log,
                env={name: value for name, value in os.environ.items() if not name.startswith("HOMEOSTAT_")}
                | self.environment,
            )
        if wait:
            wait_until(self.answers, f"both doors of\n{self.log()}")
        return time.monotonic() - began

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log()
        return get(self.port, "/health/live")[0] == get(self.control_port, "/health")[0] == 200

    def log(self) -> str:
        path = self.root / "up.log"
        return path.read_text()[-4000:] if path.exists() else ""

    def processes(self) -> dict[int, str]:
        """Return {pid: kind} of every process that belongs to this project, orphans included."""
        found = {}
        for process in psutil.process_iter(["cmdline", "status"]):
            words = process.info["cmdline"] or []
            if process.info["status"] == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            if self.process is not None and process.pid == self.process.pid:
                found[process.pid] = "supervisor"
            elif any(str(self.root) + "/" in word for word in words) and "-m" in words:
                found[process.pid] = words[words.index("-m") + 1].removeprefix("homeostat.")
        return found

    def pid(self, kind: str) -> int | None:
        return next((pid for pid, found in self.processes().items() if found == kind), None)

    def pids(self, kind: str) -> set[int]:
        return {pid for pid, found in self.processes().items() if found == kind}

    def kill(self, kind: str) -> int | None:
        """Kill -9 a process of that kind; return its pid, None where there is none at this moment."""
        pid = self.pid(kind)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            if kind == "supervisor":
                self.process.wait()
        return pid

    def interrupt(self) -> float:
        """Press Ctrl-C; return the seconds until the server has ended."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        return time.monotonic() - began

    def close(self) -> None:
        for one in self.beside:  # of a test that failed: nobody asks a closed store
            if one.is_alive():
                one.stop()
        if self.process is not None and self.process.poll() is None:
            self.interrupt()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        if self._house is not None:
            self._house.store.close()
            self._house = None

    # -- what is in the stores

    def champion(self) -> int | None:
        with self.house.store.read() as tx:
            return tx.models.alias(MODEL, CHAMPION)

    def asks(self, cycle_id: str, **options) -> bool:
        """Ask for a cycle by hand; return False while another runs."""
        try:
            ask(
                store=self.house.store,
                model=MODEL,
                cycle_id=cycle_id,
                trigger="manual",
                because="a test",
                actor="bob",
                now=self.house.clock.now(),
                options=options,
            )
        except Conflict:
            return False
        return True

    def cycles(self) -> list[Cycle]:
        with self.house.store.read() as tx:
            return tx.cycles.recent(MODEL)

    def cycle(self, cycle_id: str) -> Cycle:
        with self.house.store.read() as tx:
            return tx.cycles.get(cycle_id)

    def events(self, *, after: int = 0):
        with self.house.store.read() as tx:
            return tx.audit.events(after=after)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events()]

    def rest(self) -> None:
        """Wait until no cycle is running."""
        wait_until(lambda: all(cycle.state.is_over for cycle in self.cycles()), f"the end of {self.cycles()[:1]}")

    def request_cycle(self, key: str) -> str:
        """Ask for a cycle until the server has said yes, and once more; return its id."""
        said = []

        def asked():
            said.append(
                get(
                    self.control_port,
                    "/api/v1/cycles",
                    method="POST",
                    body={"because": "a test"},
                    headers={"Idempotency-Key": key},
                )
            )
            return [json.loads(body)["id"] for status, body in said if status == 202][1:]

        return wait_until(asked, f"the server's word on a cycle ({said[-3:]})")[0]


@dataclass
class Client(threading.Thread):
    """Asks for predictions and tells the truth, without a pause, and keeps what was acknowledged."""

    site: Site
    name_: str = "c"
    turned: bool = False
    predicted: dict[str, tuple[int, int]] = field(default_factory=dict)
    labelled: dict[tuple[str, int], int] = field(default_factory=dict)
    refused: list[tuple[int, str]] = field(default_factory=list)
    lost: int = 0
    answered_at: float = 0.0
    seen: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._stopped = threading.Event()
        self.site.beside.append(self)
        self._number = 0

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        connection = None
        while not self._stopped.wait(0.01):
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=20)
            try:
                self._turn(connection)
            except (OSError, http.client.HTTPException):
                self.lost += 1
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _turn(self, connection: http.client.HTTPConnection) -> None:
        self._number += 1
        request_id = f"{self.name_}-{self._number}"
        frame = rows(4, start=datetime.now(UTC), turned=self.turned, seed=random.Random(request_id).getrandbits(32))
        asked = [{**row, "t": row["t"].isoformat()} for row in frame.drop("y").to_dicts()]
        answer = self._post(connection, "predict", {"rows": asked, "request_id": request_id})
        if answer is None:
            return
        self.predicted[request_id] = (answer["version"], len(asked))
        self.answered_at = time.monotonic()
        labels = [{"request_id": request_id, "row": i, "value": y} for i, y in enumerate(frame["y"].to_list())]
        if self._post(connection, "labels", {"labels": labels}) is not None:
            self.labelled |= {(request_id, i): label["value"] for i, label in enumerate(labels)}

    def _post(self, connection, path, body):
        connection.request("POST", f"/models/{MODEL}/{path}", body=json.dumps(body))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            self.refused.append((answer.status, text.decode()))
            return None
        return json.loads(text)

    def stop(self) -> None:
        self._stopped.set()
        self.join(30)
        assert not self.is_alive()


@dataclass
class Witness(threading.Thread):
    """Reads the audit log all the time: what it has once seen must stay."""

    site: Site
    seen: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._stopped = threading.Event()
        self.site.beside.append(self)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        while not self._stopped.wait(0.05):
            self.seen |= {event.seq: event.digest for event in self.site.events(after=max(self.seen, default=0))}

    def stop(self) -> None:
        self._stopped.set()
        self.join(30)


def nothing_is_lost(site: Site, client: Client, witness: Witness | None = None) -> None:
    """Fail where an acknowledged prediction, label or audit event is missing, or the chain does not hold."""
    records = site.house.records
    predictions = records.read("predictions", MODEL).filter(pl.col("route") != "shadow", pl.col("status") == "ok")
    kept: dict[str, set] = {}
    for request_id, row, version in predictions.select("request_id", "row", "version").iter_rows():
        kept.setdefault(request_id, set()).add((row, version))
    for request_id, (version, n) in client.predicted.items():
        assert {(i, version) for i in range(n)} <= kept.get(request_id, set()), f"{request_id} by version {version}"
    labels = records.read("labels", MODEL)
    told = {
        (request_id, row): value for request_id, row, value in labels.select("request_id", "row", "value").iter_rows()
    }
    assert client.labelled.items() <= told.items()
    events = {event.seq: event.digest for event in site.events()}
    assert verify(site.house.store) == len(events)
    if witness is not None:
        assert witness.seen.items() <= events.items()


def promoted_at_most_once(site: Site) -> None:
    """Fail where a cycle was asked for twice, moved the champion twice, or has no end, or a version has no cycle."""
    events, cycles = site.events(), site.cycles()
    assert all(cycle.state.is_over for cycle in cycles)
    asked = [event.subject for event in events if event.kind == "cycle.requested"]
    assert len(asked) == len(set(asked)) == len(cycles)
    for cycle in cycles:
        moved = [e for e in events if e.kind == "alias.moved" and e.payload["to"] == cycle.version and cycle.version]
        assert len(moved) == len({e.key for e in moved}) == (cycle.state.value == "promoted"), (cycle, moved)
    versions = [event.payload["version"] for event in events if event.kind == "model_version.registered"]
    assert len(versions) == len(set(versions))
    runs = {cycle.version for cycle in cycles if cycle.version}
    assert set(versions) == runs


def copy_of(made: Site, root: Path, *, infrastructure: bool = False) -> Site:
    """Return a site with the state of another one that is not running."""
    shutil.copytree(made.root, root, ignore=shutil.ignore_patterns("up.log", "up.lock"))
    return Site(root, infrastructure=infrastructure, performance=made.performance, workers=made.workers)
