"""Our tracking server beside a stock `mlflow server --workers 1`: every row of `tracking.py`, in one run, and the ratios.

Needs `mlflow` beside us (extra `bench`). The stock server is slow at loading: `--runs` is how many runs both get. Each server is measured
alone: the other one is stopped. Exit code 1 where ours is slower in any row.
"""

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path

import tracking

LESS_IS_BETTER = {name for name, (_, is_most) in tracking.REACH.items() if is_most}


def stock(folder: Path) -> tracking.Server:
    port = tracking.free_port()
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    return tracking.Server(command, port, folder)


def ratio(name: str, ours: float, theirs: float) -> float:
    """Return how many times better ours is."""
    return theirs / ours if name in LESS_IS_BETTER else ours / theirs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    if importlib.util.find_spec("mlflow") is None or importlib.util.find_spec("flask") is None:
        print(
            "mlflow's server is not installed: nothing to compare with (pip install 'homeostat[bench]')",
            file=sys.stderr,
        )
        print(json.dumps({"bench": "tracking_vs_mlflow", "skipped": "mlflow is not installed"}))
        return 0
    found = {}
    for name, make in (("ours", tracking.ours), ("stock", stock)):
        with tempfile.TemporaryDirectory() as folder:
            print(f"-- {name}", file=sys.stderr)
            server = make(Path(folder))
            with server as known:
                found[name] = tracking.measure(
                    server.url, Path(folder), runs=options.runs, seconds=options.seconds, known=known
                )
    ratios = {
        name: round(ratio(name, found["ours"][name], found["stock"][name]), 2)
        for name in tracking.REACH
        if name in found["ours"] and name in found["stock"]
    }
    print(f"{'':32} {'ours':>14} {'stock':>14} {'times better':>13}", file=sys.stderr)
    for name, times in ratios.items():
        print(f"{name:32} {found['ours'][name]:14,.2f} {found['stock'][name]:14,.2f} {times:13,.1f}", file=sys.stderr)
    slower = [name for name, times in ratios.items() if times < 1]
    told = {side: {name: round(value, 4) for name, value in rows.items()} for side, rows in found.items()}
    print(json.dumps({"bench": "tracking_vs_mlflow", **told, "ratios": ratios, "slower": slower}))
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
