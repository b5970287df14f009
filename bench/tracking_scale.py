"""Do searches stay as fast with ten times more? `tracking_scale.py [--runs N] [--points N]`: by default 100,000 runs and 10,000,000 points.

The same searches are asked over HTTP at a tenth of the size and at the whole of it; each database is filled through the store, in large
transactions. Every run has 10 params (six values each), 10 metrics and a history for each metric. The floor is a bare HTTP answer of the
same server. Exit code 1 where a search takes more than three times as long.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import tracking

from homeostat.core.ids import timed_id
from homeostat.core.records.tracking import Point
from homeostat.storage.sql.store import open_store
from homeostat.track import client_runs, experiments

REACH = 3.0
TOGETHER = 500
SHARE = 10  # the small database has a tenth
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = range(10)


def fill(path: Path, *, runs: int, points: int) -> tuple[str, str]:
    """Return (experiment, one of its runs) of a new database with so many runs, and so many points in all."""
    rng, store = random.Random(1), open_store(f"sqlite:///{path}")
    each = points // (runs * len(KEYS))
    with store.write() as tx:
        home = experiments.create(tx, "scale", artifacts="", tags={}, actor="bench", now=BEGIN)
    for start in range(0, runs, TOGETHER):
        with store.write() as tx:
            for n in range(start, min(start + TOGETHER, runs)):
                now = BEGIN + timedelta(seconds=n)
                run_id = timed_id(now, UUID(int=rng.getrandbits(128), version=4))
                client_runs.open_run(
                    tx,
                    run_id=run_id,
                    experiment_id=home,
                    name=f"run-{n}",
                    user="bench",
                    started=now,
                    tags={},
                    actor="bench",
                    now=now,
                )
                history = [Point(f"m{k}", rng.random(), n * 1000 + step, step) for k in KEYS for step in range(each)]
                params = {f"p{k}": rng.choice("xyzuvw") for k in KEYS} | {"number": str(n)}
                client_runs.log(tx, run_id, points=history, params=params)
    store.close()
    return home, run_id


def searches(wire: tracking.Wire, home: str, run_id: str, runs: int) -> dict[str, float]:
    """Return how long each search takes, in milliseconds."""

    def search(**fields):
        body = json.dumps({"experiment_ids": [home], "max_results": 100, **fields}).encode()
        return lambda: wire.ask("POST", "/api/2.0/mlflow/runs/search", body)

    def get(path: str, **fields):
        return lambda: wire.ask("GET", f"/api/2.0/mlflow/{path}?{urlencode(fields)}")

    third = json.loads(search(page_token=json.loads(search()())["next_page_token"])())["next_page_token"]
    asked = {
        "filter, ordered by a metric": search(
            filter="metrics.m1 > 0.5 and params.p1 = 'x'", order_by=["metrics.m2 DESC"]
        ),
        "ordered by a metric": search(order_by=["metrics.m2 DESC"]),
        "ordered by a metric, ascending": search(order_by=["metrics.m2 ASC"]),
        "ordered by a param of few values": search(order_by=["params.p1"]),
        "ordered by a param of many values": search(order_by=["params.number DESC"]),
        "filter by a param of few values": search(filter="params.p1 = 'x'"),
        "filter by a param of many values": search(filter="params.number = '77'"),
        "filter by a metric, about 100 pass": search(filter=f"metrics.m3 > {1 - 100 / runs}"),
        "unfiltered": search(),
        "unfiltered, third page": search(page_token=third),
        "one run": get("runs/get", run_id=run_id),
        "one history": get("metrics/get-history", run_id=run_id, metric_key="m1"),
    }
    return {name: tracking.p50_ms(ask) for name, ask in asked.items()}


def measured(runs: int, points: int) -> dict[str, float]:
    """Return the times at one size, and what the server took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = folder / ".homeostat" / "homeostat.db"
        began = time.perf_counter()
        home, run_id = fill(database, runs=runs, points=points)
        filled_s = time.perf_counter() - began
        size_mb = database.stat().st_size / 1e6
        print(f"{runs:,} runs, {points:,} points: filled in {filled_s:.0f} s, {size_mb:,.0f} MB", file=sys.stderr)
        server = tracking.ours(folder)
        with server as known:
            wire = tracking.Wire(server.url)
            floor = tracking.p50_ms(lambda: wire.ask("GET", "/health"), 1.0)
            found = searches(wire, home, run_id, runs)
            pss = sum(process.memory_full_info().pss for process in tracking.tree(server.process.pid))
    return {"floor": floor, **found, "start_s": known["start_s"], "pss_mb": pss / 1e6, "database_mb": size_mb}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--points", type=int, default=10_000_000)
    options = parser.parse_args()
    small = measured(options.runs // SHARE, options.points // SHARE)
    large = measured(options.runs, options.points)
    aside = {"floor", "start_s", "pss_mb", "database_mb"}
    ratios = {name: round(large[name] / small[name], 2) for name in small if name not in aside}
    print(f"{'p50, milliseconds':36} {'a tenth':>10} {'all':>10} {'ratio':>7}", file=sys.stderr)
    for name in small:
        told = f"{ratios[name]:7.2f}{'  MISSED' if ratios[name] > REACH else ''}" if name in ratios else ""
        print(f"{name:36} {small[name]:10,.2f} {large[name]:10,.2f} {told}", file=sys.stderr)
    missed = [name for name, ratio in ratios.items() if ratio > REACH]
    sides = {
        side: {name: round(value, 4) for name, value in rows.items()}
        for side, rows in (("small", small), ("large", large))
    }
    print(json.dumps({"bench": "tracking_scale", **sides, "ratios": ratios, "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
