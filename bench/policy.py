"""What policies of retraining recover on real streams, and what they cost: `policy.py [--quick] [--seeds N] [--cache FOLDER]`.

A model (scikit-learn's histogram gradient boosting, 100 trees) is fitted on a first window and then asked batch by batch; after each batch
its labels come (in the delayed run four batches later). Policies: `static` never trains again; `always` after every batch on the newest
window; `every 5th`; `ADWIN` when the error rises; `stack`: ours, a stack of past champions (retrain/stack.py) renewed on signs of change
within a budget (retrain/renewal.py), the same settings on every stream. The code is in bench/retraining.

recovered = (score - static) / (always - static); share = retrainings / batches; fits: candidates counted; fit CPU: CPU seconds of the fits
relative to those of `always`; all CPU: of fits, answers, change tests and weights relative to all of `always`. On the SEA stream `always`
is the best of three windows. Shuffled rows have no drift: each retraining there is a false alarm. Streams are looked for in ../shared/data;
one that is absent is left out and named. Two processes share the work, one thread each. What is measured is kept in the cache (by default in
the folder of temporary files) until the code of the parts changes: a run that was stopped goes on where it was. Exit code 1 where a reach is
not met.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ[_name] = "1"  # more threads than cores would spin against each other, and be counted as CPU

import numpy as np  # noqa: E402 - it reads the number of threads when it is imported
import scipy  # noqa: E402
import sklearn  # noqa: E402
from retraining.policies import POLICIES, Models, Run, replay  # noqa: E402
from retraining.streams import QUICK, read, there_are  # noqa: E402

BENCH = Path(__file__).resolve().parent
PARTS = ("retrain/stack.py", "retrain/renewal.py", "watch/change.py", "watch/adwin.py")
PROCESSES = 2
DELAY = 4  # batches
SHOWN = ("static", "always", "every 5th", "ADWIN", "stack")
ALWAYS = {"sea_0123_abrupt_noise02": ("always", "always, 2 windows", "always, all rows")}
LATE = ("always", "stack")
REACH = {
    "mean recovered": 0.95,
    "least recovered": 0.85,
    "share": 0.20,
    "fitting CPU": 0.5,
    "all CPU": 0.5,
    "false alarms per 100": 1.0,
}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def cache_of(folder: Path) -> Path:
    """Return the folder of what this very code measured."""
    sources = [*sorted((BENCH / "retraining").glob("*.py")), *(BENCH.parent / "src" / "homeostat" / p for p in PARTS)]
    told = hashlib.sha256(f"{np.__version__} {scipy.__version__} {sklearn.__version__}".encode())
    for source in sources:
        told.update(source.read_bytes())
    found = folder / told.hexdigest()[:12]
    found.mkdir(parents=True, exist_ok=True)
    return found


def name_of(stream: str, policy: str, *, delay: int = 0, seed: int | None = None) -> str:
    order = "" if seed is None else f"-shuffled{seed}"
    late = f"-late{delay}" if delay else ""
    return f"{stream}-{policy.replace(', ', '-').replace(' ', '-')}{late}{order}"


def kept(cache: Path, name: str, measure: Callable[[], Run]) -> Run:
    """Return what is known by that name, or measure and keep it."""
    file = cache / f"{name}.json"
    if file.exists():
        return Run(**json.loads(file.read_text(encoding="utf-8")))
    run = measure()
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(asdict(run)), encoding="utf-8")
    fresh.replace(file)
    say(
        f"  done: {name}: score {run.score:.4f}, {run.retrainings} retrainings, {run.fit_s:.1f} s of fits, {run.ask_s + run.other_s:.1f} s of the rest"
    )
    return run


def in_order(name: str, cache: Path) -> dict[str, Run]:
    """Replay every policy over a stream, `late ...` with late labels; they share their fits, so it is one process's work."""
    models = Models(read(name))
    shown = dict.fromkeys([*SHOWN[:2], *ALWAYS.get(name, ()), *SHOWN])
    runs = {
        policy: kept(cache, name_of(name, policy), lambda policy=policy: replay(models, POLICIES[policy]))  # type: ignore[misc]
        for policy in shown
    }
    for policy in LATE:
        late = name_of(name, policy, delay=DELAY)
        runs[f"late {policy}"] = kept(
            cache,
            late,
            lambda policy=policy: replay(models, POLICIES[policy], delay=DELAY),  # type: ignore[misc]
        )
    return runs


def shuffled(name: str, cache: Path, seed: int) -> Run:
    return kept(
        cache,
        name_of(name, "stack", seed=seed),
        lambda: replay(Models(read(name).shuffled(seed)), POLICIES["stack"]),
    )


def told(name: str, runs: dict[str, Run], alarms: list[int]) -> dict[str, Any]:
    """Print the table of a stream, and return its figures."""
    stream = read(name)
    batches = len(stream.batches)
    scores = [runs[policy].score for policy in ALWAYS.get(name, ("always",))]
    best = min(scores) if stream.is_regression else max(scores)
    static, floor = runs["static"].score, runs["always"]
    say(f"\n{name}: {batches} batches of {stream.batch}, window {stream.window}; best of always {best:.4f}")
    if stream.no_change is not None:
        say(f"  no-change (repeat the last label) {stream.no_change:.4f}")
    say(f"  {'policy':<10}{'score':>10}{'recovered':>11}{'share':>8}{'fits':>6}{'fit CPU':>9}{'all CPU':>9}")
    found: dict[str, Any] = {"batches": batches, "best_always": best, "no_change": stream.no_change}
    for policy in SHOWN:
        run = runs[policy]
        row = {
            "score": run.score,
            "recovered": (run.score - static) / (best - static),
            "share": run.retrainings / batches,
            "fits": run.fits,
            "fit_cpu": run.fit_s / floor.fit_s,
            "all_cpu": (run.fit_s + run.ask_s + run.other_s) / (floor.fit_s + floor.ask_s + floor.other_s),
        }
        found[policy] = row
        say(
            f"  {policy:<10}{row['score']:>10.4f}{row['recovered']:>11.3f}{row['share']:>8.3f}{row['fits']:>6}"
            f"{row['fit_cpu']:>9.2f}{row['all_cpu']:>9.2f}"
        )
    late = {policy: runs[f"late {policy}"].score for policy in LATE}
    kept_share = (late["stack"] - static) / (late["always"] - static)
    say(
        f"  labels {DELAY} batches late: always {late['always']:.4f}, stack {late['stack']:.4f}, recovered {kept_share:.3f}"
    )
    per_hundred = 100.0 * sum(alarms) / (batches * len(alarms))
    say(f"  shuffled rows, seeds 0 to {len(alarms) - 1}: {per_hundred:.2f} retrainings per 100 batches {alarms}")
    return {**found, "late": {**late, "recovered": kept_share}, "false_alarms_per_100": per_hundred}


def measured(names: list[str], *, seeds: int, cache: Path) -> dict[str, Any]:
    """Return the figures of the streams, whose tables are printed as soon as they are full."""
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        ordered = {name: pool.submit(in_order, name, cache) for name in names}
        mixed = {name: [pool.submit(shuffled, name, cache, seed) for seed in range(seeds)] for name in names}
        return {
            name: told(name, ordered[name].result(), [one.result().retrainings for one in mixed[name]])
            for name in reversed(names)
        }


def reached_by(found: dict[str, Any]) -> dict[str, float]:
    ours = [each["stack"] for each in found.values()]
    return {
        "mean recovered": float(np.mean([row["recovered"] for row in ours])),
        "least recovered": min(row["recovered"] for row in ours),
        "share": max(row["share"] for row in ours),
        "fitting CPU": max(row["fit_cpu"] for row in ours),
        "all CPU": max(row["all_cpu"] for row in ours),
        "false alarms per 100": max(each["false_alarms_per_100"] for each in found.values()),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="elec2 and bike sharing only, one shuffled seed")
    parser.add_argument("--seeds", type=int, default=3, help="shuffled replays of each stream, at least 1")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "homeostat-bench-policy")
    given = parser.parse_args()
    names = []
    for name, is_there in there_are():
        if not is_there:
            say(f"left out: no {name}.csv.gz in ../shared/data")
        elif not given.quick or name in QUICK:
            names.append(name)
    if not names:
        say("no stream is there: nothing was measured")
        return 1
    cache = cache_of(given.cache)
    say(f"{len(names)} streams; what is measured is kept in {cache}")
    found = measured(names, seeds=1 if given.quick else max(1, given.seeds), cache=cache)
    reached = reached_by(found)
    missed = [
        name
        for name, value in reached.items()
        if (value < REACH[name]) == name.endswith("recovered") and value != REACH[name]
    ]
    say("")
    for name, value in reached.items():
        say(f"{name:<22}{value:>8.3f}   reach {REACH[name]:g}{'  MISSED' if name in missed else ''}")
    print(json.dumps({"streams": found, "reached": reached, "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
