"""How fast a history is replayed, and what each policy makes of two real ones: elec2 (binary) and bike sharing (regression).

Floor, measured in the same run, in CPU seconds: the bare trainings and predictions of "always", with no watch or cycle around them.
There is no stated reach yet. Data sets are looked for in ../shared/data; one that is absent is left out.
"""

import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
from threadpoolctl import threadpool_limits

from homeostat.core.columns import Task
from homeostat.data.settings import DataSettings
from homeostat.retrain.backtest import policies_of, prepare
from homeostat.retrain.backtest_children import backtest_in_children
from homeostat.retrain.backtest_result import BacktestResult
from homeostat.retrain.learnable import learnable
from homeostat.retrain.project import Project
from homeostat.retrain.report import as_text, sentences
from homeostat.retrain.settings import RetrainSettings, Triggers
from homeostat.retrain.simulated_world import answer
from homeostat.retrain.timeline import KNOWN_AT
from homeostat.train.fit import fit
from homeostat.train.settings import TrainSettings
from homeostat.train.signature import signature_of
from homeostat.watch.settings import WatchSettings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ROOT = Path(__file__).resolve().parent


def project(model: str, task: Task, data: DataSettings, *, batch: int, window: int) -> Project:
    return Project(
        model=model,
        task=task,
        data=data,
        train=TrainSettings(max_rows=window),
        watch=WatchSettings(window_rows=batch),
    )


SETS = {
    # file: (project, rows a step, rows of history and of the training window)
    "elec2.csv.gz": (
        project(
            "elec2", Task.BINARY, DataSettings(source="s", target="class", exclude=["date"]), batch=336, window=4032
        ),
        336,
        4032,
    ),
    "bike_sharing_hour.csv.gz": (
        project(
            "bike_sharing",
            Task.REGRESSION,
            DataSettings(source="s", target="cnt", exclude=["casual", "registered", "instant", "dteday"]),
            batch=168,
            window=1344,
        ),
        168,
        1344,
    ),
}


def replay(frame: pl.DataFrame, given: Project, *, step: int, history: int) -> BacktestResult:
    policies = {
        **policies_of(given),
        "policy+rows": RetrainSettings(triggers=Triggers(new_rows=4 * step)),
    }
    with tempfile.TemporaryDirectory() as folder:
        return backtest_in_children(
            frame, project=given, policies=policies, history=history, step=step, root=ROOT, workdir=Path(folder)
        )


def floor_cpu_s(frame: pl.DataFrame, given: Project, *, step: int, history: int) -> float:
    """CPU seconds for one training before each step and its predictions, and nothing else; one thread, as in the children."""
    line, kinds = prepare(frame, project=given, history=history, step=step)
    settings, named = given.training, given.data.roles
    roles = replace(named, time=line.time, exclude=(*named.exclude, KNOWN_AT))
    began = time.process_time()
    with threadpool_limits(1):
        for one in line.steps:
            rows = learnable(line.known(one.start), roles=roles, settings=settings)
            signature = signature_of(rows, roles=roles, kinds=kinds, task=given.task)
            model = fit(rows, roles=roles, signature=signature, settings=settings, root=ROOT)
            answer(model, line.rows(one), signature, ROOT)
    return time.process_time() - began


def figures(result: BacktestResult, floor: float) -> dict[str, object]:
    steps = len(result.policies[0].steps)
    always = result.policy("always")
    assert always is not None
    return {
        "rows": result.replayed_rows,
        "steps": steps,
        "wall_s": round(result.wall_s, 2),
        "steps_per_s": round(steps * len(result.policies) / result.wall_s, 2),
        "rows_per_s": round(result.replayed_rows * len(result.policies) / result.wall_s),
        "always_cpu_s": round(always.cpu_s, 2),
        "floor_cpu_s": round(floor, 2),
        "always_over_floor": round(always.cpu_s / floor, 2),
        "policies": {
            one.policy: {
                **{name: round(value, 4) for name, value in one.metrics.items()},
                "retrainings": one.retrainings,
                "alerts": one.alerts,
                "trainings": one.fits,
                "cpu_s": round(one.cpu_s, 2),
                "steps_per_s": round(steps / one.wall_s, 2),
            }
            for one in result.policies
        },
    }


def main() -> None:
    found: dict[str, object] = {}
    for file, (given, step, history) in SETS.items():
        if not (DATA / file).exists():
            print(f"{file}: no ../shared/data here, left out", file=sys.stderr)
            continue
        frame = pl.read_csv(DATA / file)
        result = replay(frame, given, step=step, history=history)
        shown = figures(result, floor_cpu_s(frame, given, step=step, history=history))
        found[given.model] = shown
        print(f"\n{given.model}: {shown['rows']:,} rows in {shown['steps']} steps of {step}", file=sys.stderr)
        print(as_text(result), file=sys.stderr)
        print("\n".join(sentences(result)), file=sys.stderr)
        print(
            f"{shown['steps_per_s']} steps a second over all policies; always retraining took {shown['always_cpu_s']} s of CPU, "
            f"{shown['always_over_floor']} times the bare trainings and predictions ({shown['floor_cpu_s']} s)",
            file=sys.stderr,
        )
    print(json.dumps({"bench": "backtest", "data": found}))


if __name__ == "__main__":
    main()
