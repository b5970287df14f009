"""How fast a tracking server is, over raw REST with keep-alive: `tracking.py [URL] [--runs N] [--database URL]`. Without a URL our own is started.

Every row of the table is measured for the URL given, so that any server of the same wire format can be measured. Floors of the same run:
a flush of 4 KB to the disk, 100 MB written and flushed, and a bare HTTP answer. Exit code 1 where a reach is not met (only for our own
server on its own SQLite file: `--database postgresql+psycopg://...` is measured beside no reach).
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import psutil

THREADS = 8
BATCH = 1000
BIG = 100_000_000
PUTS = 5
REACH = {  # name: (value, is a time or size that must stay below)
    "start_s": (1.0, True),
    "idle_pss_mb": (130.0, True),
    "processes": (1, True),
    "create_run_per_s": (1000, False),
    "create_run_8_per_s": (1500, False),
    "log_metric_per_s": (1000, False),
    "log_metric_8_per_s": (2000, False),
    "log_batch_metrics_per_s": (150_000, False),
    "log_batch_8_metrics_per_s": (200_000, False),
    "load_runs_per_s": (1000, False),
    "search_filter_order_p50_ms": (10.0, True),
    "page_by_metric_p50_ms": (10.0, True),
    "page_unfiltered_p50_ms": (5.0, True),
    "history_100k_s": (0.2, True),
    "version_alias_resolve_per_s": (400, False),
    "put_100mb_mb_per_s": (600, False),
    "get_100mb_mb_per_s": (1000, False),
}


class Wire:
    """One keep-alive connection, as thin as a client can be."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self._connect()

    def _connect(self) -> None:
        self.socket = socket.create_connection((self.host, self.port), timeout=600)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = b""

    def ask(self, method: str, path: str, body: bytes = b"", *, expect: int = 200) -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        try:
            self.socket.sendall(head.encode() + b"\r\n" + body)
            status, content = self._answer()
        except ConnectionError:  # servers close connections that were idle for a while: clients ask again, once
            self.socket.close()
            self._connect()
            self.socket.sendall(head.encode() + b"\r\n" + body)
            status, content = self._answer()
        if status != expect:
            raise RuntimeError(f"{method} {path}: {status} {content[:500]!r}")
        return content

    def post(self, path: str, **fields) -> dict:
        return json.loads(self.ask("POST", f"/api/2.0/mlflow/{path}", json.dumps(fields).encode()) or b"{}")

    def put(self, path: str, chunk: bytes, times: int) -> None:
        size = len(chunk) * times
        head = f"PUT {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Length: {size}\r\n\r\n"
        self.socket.sendall(head.encode())
        for _ in range(times):
            self.socket.sendall(chunk)
        status, content = self._answer()
        if status != 200:
            raise RuntimeError(f"PUT {path}: {status} {content[:500]!r}")

    def get_size(self, path: str) -> int:
        """Return how many bytes a download has, read into one buffer."""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n\r\n".encode())
        status, headers = self._head()
        buffer = bytearray(1 << 20)
        if b"content-length" in headers:
            want = int(headers[b"content-length"])
            got, self.left = len(self.left), b""
            while got < want:
                got += self.socket.recv_into(buffer, min(len(buffer), want - got))
        else:
            got = len(self._chunked())
        if status != 200:
            raise RuntimeError(f"GET {path}: {status}")
        return got

    def _answer(self) -> tuple[int, bytes]:
        status, headers = self._head()
        if b"content-length" not in headers:
            return status, self._chunked()
        want = int(headers[b"content-length"])
        if len(self.left) >= want:
            content, self.left = self.left[:want], self.left[want:]
            return status, content
        parts, got = [self.left], len(self.left)
        while got < want:
            parts.append(self._more(want - got))
            got += len(parts[-1])
        self.left = b""
        return status, b"".join(parts)

    def _head(self) -> tuple[int, dict[bytes, bytes]]:
        data = self.left
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        lines = data[:end].split(b"\r\n")
        self.left = data[end + 4 :]
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])
        }
        return int(lines[0].split(b" ", 2)[1]), headers

    def _chunked(self) -> bytes:
        out, data = [], self.left
        while True:
            while (end := data.find(b"\r\n")) < 0:
                data += self._more()
            size = int(data[:end], 16)
            data = data[end + 2 :]
            while len(data) < size + 2:
                data += self._more()
            out.append(data[:size])
            data = data[size + 2 :]
            if size == 0:
                self.left = data
                return b"".join(out)

    def _more(self, most: int = 1 << 18) -> bytes:
        part = self.socket.recv(max(1 << 16, min(most, 1 << 22)))
        if not part:
            raise ConnectionResetError("the server closed the connection")
        return part


def rate(work, seconds: float, threads: int = 1) -> float:
    """Return how often per second `work(wire, thread, n)` was done."""
    counts, errors = [0] * threads, []
    barrier = threading.Barrier(threads + 1)

    def loop(thread: int) -> None:
        wire = Wire(URL)
        work(wire, thread, -1)
        barrier.wait()
        end = time.perf_counter() + seconds
        try:
            while time.perf_counter() < end:
                work(wire, thread, counts[thread])
                counts[thread] += 1
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            errors.append(error)

    running = [threading.Thread(target=loop, args=(n,)) for n in range(threads)]
    for one in running:
        one.start()
    barrier.wait()
    began = time.perf_counter()
    for one in running:
        one.join()
    if errors:
        raise errors[0]
    return sum(counts) / (time.perf_counter() - began)


def p50_ms(work, seconds: float = 3.0, most: int = 200) -> float:
    times = []
    work()
    end = time.perf_counter() + seconds
    while len(times) < 5 or (time.perf_counter() < end and len(times) < most):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times) * 1000


def experiment(wire: Wire) -> str:
    return wire.post("experiments/create", name=f"bench-{time.time_ns()}")["experiment_id"]


def new_run(wire: Wire, experiment_id: str) -> str:
    return wire.post("runs/create", experiment_id=experiment_id, start_time=1)["run"]["info"]["run_id"]


def writes(seconds: float) -> dict[str, float]:
    home = experiment(Wire(URL))
    create = json.dumps({"experiment_id": home, "start_time": 1700000000000, "run_name": "r", "user_id": "u"}).encode()
    runs: list[str] = []
    found = {}

    def create_run(wire, _thread, _n):
        wire.ask("POST", "/api/2.0/mlflow/runs/create", create)

    def log_metric(wire, thread, n):
        body = {"run_id": runs[thread], "key": "loss", "value": 0.5, "timestamp": 1700000000000 + n, "step": max(n, 0)}
        wire.ask("POST", "/api/2.0/mlflow/runs/log-metric", json.dumps(body).encode())

    template = ",".join(
        json.dumps({"key": f"m{k % 10}", "value": k * 0.125, "timestamp": "TIME", "step": "STEP"}) for k in range(BATCH)
    )

    def log_batch(wire, thread, n):
        body = (
            '{"run_id":"'
            + runs[thread]
            + '","metrics":['
            + template.replace('"STEP"', str(n)).replace('"TIME"', str(1700000000000 + n))
            + "]}"
        )
        wire.ask("POST", "/api/2.0/mlflow/runs/log-batch", body.encode())

    for name, work, scale in (
        ("create_run{}_per_s", create_run, 1),
        ("log_metric{}_per_s", log_metric, 1),
        ("log_batch{}_metrics_per_s", log_batch, BATCH),
    ):
        for threads in (1, THREADS):
            wire = Wire(URL)
            runs[:] = [new_run(wire, home) for _ in range(THREADS)]
            found[name.format("" if threads == 1 else f"_{threads}")] = rate(work, seconds, threads) * scale
            tell(name.format("" if threads == 1 else f"_{threads}"), found)
    return found


def load(count: int) -> tuple[str, float]:
    """Return an experiment with so many runs of 10 params and 10 metrics, and how many runs per second were loaded."""
    home = experiment(Wire(URL))
    errors = []

    def part(thread: int) -> None:
        wire, rng = Wire(URL), random.Random(thread)
        try:
            for n in range(thread, count, THREADS):
                created = wire.post("runs/create", experiment_id=home, start_time=1700000000000 + n, run_name=f"r{n}")
                run_id = created["run"]["info"]["run_id"]
                metrics = [
                    {"key": f"m{k}", "value": rng.random(), "timestamp": 1700000000000 + n, "step": 0}
                    for k in range(10)
                ]
                params = [{"key": f"p{k}", "value": rng.choice("xyzuvw")} for k in range(10)]
                wire.post("runs/log-batch", run_id=run_id, metrics=metrics, params=params)
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            errors.append(error)

    threads = [threading.Thread(target=part, args=(n,)) for n in range(THREADS)]
    began = time.perf_counter()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if errors:
        raise errors[0]
    return home, count / (time.perf_counter() - began)


def searches(home: str) -> dict[str, float]:
    wire = Wire(URL)

    def search(**fields):
        body = json.dumps({"experiment_ids": [home], "max_results": 100, **fields}).encode()
        return lambda: wire.ask("POST", "/api/2.0/mlflow/runs/search", body)

    wanted = search(filter="metrics.m1 > 0.5 and params.p1 = 'x'", order_by=["metrics.m2 DESC"])
    answer = json.loads(wanted())
    assert answer["runs"], "nothing was found"
    values = [next(m["value"] for m in run["data"]["metrics"] if m["key"] == "m2") for run in answer["runs"]]
    assert values == sorted(values, reverse=True)
    return {
        "search_filter_order_p50_ms": p50_ms(wanted),
        "page_by_metric_p50_ms": p50_ms(search(order_by=["metrics.m2 DESC"])),
        "page_unfiltered_p50_ms": p50_ms(search()),
    }


def history() -> float:
    wire = Wire(URL)
    run_id = new_run(wire, experiment(wire))
    for start in range(0, 100_000, BATCH):
        metrics = [
            {"key": "loss", "value": 0.5 + n, "timestamp": 1700000000000 + n, "step": n}
            for n in range(start, start + BATCH)
        ]
        wire.post("runs/log-batch", run_id=run_id, metrics=metrics)
    path = f"/api/2.0/mlflow/metrics/get-history?run_id={run_id}&metric_key=loss"
    assert len(json.loads(wire.ask("GET", path))["metrics"]) == 100_000
    return p50_ms(lambda: wire.ask("GET", path), seconds=5) / 1000


def registry(seconds: float) -> float:
    wire = Wire(URL)
    home = experiment(wire)
    run_id = new_run(wire, home)
    name = f"bench-{time.time_ns()}"
    wire.post("registered-models/create", name=name)
    source = (
        json.loads(wire.ask("GET", f"/api/2.0/mlflow/runs/get?run_id={run_id}"))["run"]["info"]["artifact_uri"]
        + "/model"
    )

    def cycle(wire, _thread, _n):
        made = wire.post("model-versions/create", name=name, source=source, run_id=run_id)["model_version"]
        wire.post("registered-models/alias", name=name, alias="bench", version=made["version"])
        got = json.loads(wire.ask("GET", f"/api/2.0/mlflow/registered-models/alias?name={name}&alias=bench"))
        assert got["model_version"]["version"] == made["version"]

    return rate(cycle, seconds)


def artifacts() -> dict[str, float]:
    wire = Wire(URL)
    chunk = os.urandom(1_000_000)
    puts, gets = [], []
    for n in range(PUTS):
        path = f"/api/2.0/mlflow-artifacts/artifacts/bench-{os.getpid()}/{n}.bin"
        began = time.perf_counter()
        wire.put(path, chunk, BIG // len(chunk))
        puts.append(time.perf_counter() - began)
        began = time.perf_counter()
        assert wire.get_size(path) == BIG
        gets.append(time.perf_counter() - began)
        wire.ask("DELETE", path)
    return {"put_100mb_mb_per_s": BIG / 1e6 / median(puts), "get_100mb_mb_per_s": BIG / 1e6 / median(gets)}


def floors(folder: Path) -> dict[str, float]:
    """The least that a durable answer costs here."""
    handle = os.open(folder / "floor", os.O_RDWR | os.O_CREAT)
    times = []
    for n in range(200):
        began = time.perf_counter()
        os.pwrite(handle, b"x" * 4096, n * 4096)
        os.fdatasync(handle)
        times.append(time.perf_counter() - began)
    os.close(handle)
    wire = Wire(URL)
    return {"floor_flush_ms": median(times) * 1000, "floor_answer_ms": p50_ms(lambda: wire.ask("GET", "/health"), 1.0)}


def put_floor(folder: Path) -> float:
    """Return how many MB per second the disk takes of a file of 100 MB, flushed."""
    chunk, times = os.urandom(1_000_000), []
    for _ in range(PUTS):
        began = time.perf_counter()
        with (folder / "floor").open("wb", buffering=0) as file:
            for _ in range(BIG // len(chunk)):
                file.write(chunk)
            os.fsync(file.fileno())
        times.append(time.perf_counter() - began)
        (folder / "floor").unlink()
    return BIG / 1e6 / median(times)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(url: str, limit_s: float = 120.0) -> float:
    began = time.perf_counter()
    while time.perf_counter() - began < limit_s:
        try:
            Wire(url).ask("GET", "/health")
        except (OSError, RuntimeError):
            time.sleep(0.005)
        else:
            return time.perf_counter() - began
    sys.exit(f"{url} does not answer")


def tree(pid: int) -> list[psutil.Process]:
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


class Server:
    """A server started for the bench; it is gone when the block ends."""

    def __init__(self, command: list[str], port: int, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.command, self.folder = command, folder

    def __enter__(self) -> dict[str, float]:
        began = time.perf_counter()
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        wait_for(self.url)
        start_s = time.perf_counter() - began
        time.sleep(5)
        processes = tree(self.process.pid)
        pss = sum(process.memory_full_info().pss for process in processes)
        return {"start_s": start_s, "idle_pss_mb": pss / 1e6, "processes": len(processes)}

    def __exit__(self, *_: object) -> None:
        alive = tree(self.process.pid)
        for process in alive:
            process.send_signal(signal.SIGTERM)
        _, left = psutil.wait_procs(alive, timeout=15)
        for process in left:
            process.kill()
        self.process.wait()


def ours(folder: Path, database: str | None = None) -> Server:
    port = free_port()
    options = ["--database", database] if database else []
    return Server([sys.executable, "-m", "homeostat", "tracking", "--port", str(port), *options], port, folder)


def measure(url: str, folder: Path, *, runs: int, seconds: float, known: dict[str, float]) -> dict[str, float]:
    global URL  # noqa: PLW0603 - one server at a time
    URL = url
    found = dict(known) | floors(folder)
    found |= writes(seconds)
    home, found["load_runs_per_s"] = load(runs)
    tell("load_runs_per_s", found)
    found["runs"] = runs
    found |= searches(home)
    found["history_100k_s"] = history()
    found["floor_put_mb_per_s"] = put_floor(folder)
    for name, part in (
        ("registry", lambda: {"version_alias_resolve_per_s": registry(seconds)}),
        ("artifacts", artifacts),
    ):
        try:
            found |= part()
        except (RuntimeError, OSError) as error:
            print(f"{name}: not measured: {error}", file=sys.stderr)
    return found


URL = ""


def tell(name: str, found: dict[str, float]) -> None:
    reach = REACH.get(name)
    told = f"   reach {reach[0]:,}{'  MISSED' if is_missed(name, found) else ''}" if reach else ""
    print(f"{name:32} {found[name]:12,.2f}{told}", file=sys.stderr, flush=True)


def is_missed(name: str, found: dict[str, float]) -> bool:
    if name not in REACH or name not in found:
        return False
    value, is_most = REACH[name]
    return found[name] > value if is_most else found[name] < value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", help="a server that runs; default: our own is started")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--database", help="where our own server keeps its records; default: a SQLite file")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each rate is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = {"runs": options.runs, "seconds": options.seconds}
        if options.url:
            found = measure(options.url.rstrip("/"), folder, known={}, **arguments)
        else:
            server = ours(folder, options.database)
            with server as known:
                found = measure(server.url, folder, known=known, **arguments)
    for name in found:
        tell(name, found)
    missed = (
        []
        if options.url or options.database
        else [name for name in REACH if is_missed(name, found) or name not in found]
    )
    print(
        json.dumps({"bench": "tracking", **{name: round(value, 4) for name, value in found.items()}, "missed": missed})
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
