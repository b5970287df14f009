"""How light the product is: start-up of the package and the command, `homeostat up` to its first 200, idle memory, size on disk.

Floors, measured in the same run: an empty Python process; Granian with an empty app. Exit code 1 where a reach is not met.
"""

import http.client
import importlib.metadata
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil

REACH = {"import_s": 0.15, "help_s": 0.25, "ready_s": 3.0, "idle_mb": 400.0, "idle_alone_mb": 400.0}
HOMEOSTAT = [sys.executable, "-m", "homeostat"]
YAML = """model: bench
task: binary
data: {{source: rows.csv, target: y, time: t}}
serve: {{port: {port}, control_port: {control}}}
"""


def seconds(command: list[str], runs: int = 7) -> float:
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return median(times)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def predicts(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        body = json.dumps({"rows": [{"a": 0.5, "b": "x"}]})
        connection.request("POST", "/models/bench/predict", body, {"Content-Type": "application/json"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def pss_mb(tree: list[psutil.Process]) -> float:
    return sum(process.memory_full_info().pss for process in tree) / 1e6


def alone_mb(tree: list[psutil.Process]) -> float:
    """Return what the processes would take on a machine of their own: the PSS of a file that others have mapped too is only a share.

    Anonymous memory of each, and of every mapped file the most that one of them has resident.
    """
    anonymous, files = 0, {}
    for process in tree:
        of_one = {}
        for mapped in process.memory_maps(grouped=False):
            anonymous += mapped.anonymous
            of_one[mapped.path] = of_one.get(mapped.path, 0) + mapped.rss - mapped.anonymous
        files = {path: max(files.get(path, 0), of_one.get(path, 0)) for path in {*files, *of_one}}
    return (anonymous + sum(files.values())) / 1e6


def wait(condition, what: str, limit_s: float = 120.0) -> float:
    began = time.perf_counter()
    while not condition():
        if time.perf_counter() - began > limit_s:
            sys.exit(f"{what} did not happen within {limit_s:.0f} s")
        time.sleep(0.01)
    return time.perf_counter() - began


def start(folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [*HOMEOSTAT, "up"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def stop(process: subprocess.Popen) -> float:
    began = time.perf_counter()
    process.send_signal(signal.SIGINT)
    process.wait(30)
    return time.perf_counter() - began


def up(folder: Path) -> dict[str, float]:
    port, control = free_port(), free_port()
    (folder / "homeostat.yaml").write_text(YAML.format(port=port, control=control))
    lines = ["t,a,b,y"]
    lines += [
        f"2026-01-{1 + i // 100:02d}T{i % 24:02d}:{i % 60:02d}:00,{(i * 37 % 100) / 100},{'xy'[i % 2]},{int(i * 37 % 100 > 50)}"
        for i in range(2000)
    ]
    (folder / "rows.csv").write_text("\n".join(lines))
    process = start(folder)
    try:
        control_s = wait(lambda: answers(control), "the control process's first 200")
        wait(lambda: predicts(port), "the first prediction")
    finally:
        stop(process)
    # a second start, as every later one is: the model is there, the database too
    process = start(folder)
    try:
        began = time.perf_counter()
        wait(lambda: answers(control) and answers(port), "both doors' 200")
        ready_s = time.perf_counter() - began
        wait(lambda: predicts(port), "a prediction after the restart")
        first_prediction_s = time.perf_counter() - began
        time.sleep(5)
        tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        names = {p.pid: " ".join(p.cmdline()[2:4]) for p in tree}
        each = {names[p.pid]: round(p.memory_full_info().pss / 1e6, 1) for p in tree}
        used = sum(p.cpu_times().user + p.cpu_times().system for p in tree)
        time.sleep(5)
        cpu = (sum(p.cpu_times().user + p.cpu_times().system for p in tree) - used) / 5
        found = {
            "first_start_control_s": control_s,
            "ready_s": ready_s,
            "first_prediction_s": first_prediction_s,
            "idle_mb": pss_mb(tree),
            "idle_alone_mb": alone_mb(tree),
            "processes": len(tree),
            "idle_cpu_share_of_one_core": cpu,
            "each_mb": each,
        }
    finally:
        found_stop = stop(process)
    return found | {"stop_s": found_stop}


def installed_mb() -> tuple[float, float]:
    """Return the size of our own files and of everything that a plain installation brings."""
    wanted, seen = ["homeostat"], set()
    sizes = {}
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        sizes[name] = sum(f.locate().stat().st_size for f in found.files or [] if f.locate().is_file())
        wanted += [
            r.partition(";")[0]
            .split("[")[0]
            .split(">")[0]
            .split("=")[0]
            .split("<")[0]
            .split("!")[0]
            .split("~")[0]
            .strip()
            .lower()
            for r in found.requires or []
            if "extra" not in r
        ]
    ours = sum(f.stat().st_size for f in Path(importlib.util.find_spec("homeostat").origin).parent.rglob("*.py"))
    return ours / 1e6, (ours + sum(size for name, size in sizes.items() if name != "homeostat")) / 1e6


def main() -> int:
    python_s = seconds([sys.executable, "-c", "pass"])
    figures: dict[str, object] = {
        "floor_python_s": python_s,
        "import_s": seconds([sys.executable, "-c", "import homeostat"]),
        "help_s": seconds([*HOMEOSTAT, "--help"]),
    }
    with tempfile.TemporaryDirectory() as folder:
        figures |= up(Path(folder))
    figures["package_mb"], figures["installed_mb"] = installed_mb()
    missed = [name for name, reach in REACH.items() if float(figures[name]) > reach]
    for name, value in figures.items():
        told = f"{value:.3f}" if isinstance(value, float) else str(value)
        reach = f"   reach {REACH[name]}{'  MISSED' if name in missed else ''}" if name in REACH else ""
        print(f"{name:30} {told}{reach}", file=sys.stderr)
    ratios = {f"{name}_over_bare_python": round(float(figures[name]) / python_s, 1) for name in ("import_s", "help_s")}
    print(json.dumps({"bench": "footprint", **figures, **ratios, "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    os.environ["NO_COLOR"] = "1"
    sys.exit(main())
