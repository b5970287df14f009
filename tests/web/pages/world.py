"""A project whose model was watched for some days, without a server and without training."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import polars as pl

from homeostat.app.project import load
from homeostat.app.wiring import open_house
from homeostat.core.columns import Task
from homeostat.core.records.watching import Incident, WindowVerdict
from homeostat.track.predictions import Predictions
from homeostat.watch.answered import answered

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
EVIL = "<script>alert('x')</script>&\""


def open_project(folder, *, model="late", task="binary", host="127.0.0.1"):
    text = f"model: {model}\ntask: {task}\ndata: {{source: rows.csv, target: late}}\nserve: {{host: '{host}'}}\n"
    (folder / "homeostat.yaml").write_text(text)
    return open_house(load(folder / "homeostat.yaml"), writer_id="test", actor="ann")


def of_scores(seed, rows=400, *, gap=0.0, positive="yes"):
    """Return a window's answers: what came true is `gap` rarer than promised."""
    rng = np.random.default_rng(seed)
    score = rng.beta(2, 3, rows)
    came = rng.uniform(size=rows) < score - gap
    said = Predictions(
        labels=np.where(score > 0.5, positive, "no").astype(object),
        scores=np.stack([1 - score, score], axis=1),
        classes=("no", positive),
    )
    return answered(said, pl.Series([positive if c else "no" for c in came]), task=Task.BINARY)


def of_numbers(off, rows=50):
    said = Predictions(labels=np.full(rows, 3.0 + off))
    return answered(said, pl.Series(np.full(rows, 3.0)), task=Task.REGRESSION)


def window(day, answers, *, model="late", state="ok", value=None, metric="log_loss", summary="all is well", column="x"):
    start = START + day * DAY
    performance = {"metric": metric, "state": "measured", "rows": 400, "labelled": 400, "maturity": 1.0}
    if value is not None:
        performance |= {"value": value, "low": value - 0.02, "high": value + 0.02}
    verdict = {
        "summary": summary,
        "performance": performance if value is not None else None,
        "decay": None if value is None else {"decayed": False, "because": "", "effect": value - 0.5},
        "columns": [
            {"column": column, "method": "l_infinity", "effect": 0.1234, "alarm": 0.1, "adjusted": 0.002, "rows": 400, "state": state}
        ],
        "predictions": [],
    }  # fmt: skip
    body = {"version": 1, "rows": 400, "labelled": 400, "verdict": verdict}
    return WindowVerdict(
        model=model,
        window_start=start,
        window_end=start + DAY,
        revision=0,
        computed=start,
        state=state,
        body=body | {"answers": None if answers is None else msgspec.to_builtins(answers)},
    )


def keep(house, *windows):
    with house.store.write() as tx:
        for one in windows:
            tx.watch.add(one)


def open_incident(house, *, because="log loss rose", model="late"):
    with house.store.write() as tx:
        tx.incidents.put(
            Incident(
                incident_id="i1",
                model=model,
                kind="performance",
                version=1,
                opened=START,
                updated=START,
                windows=3,
                severity=2.0,
                told_severity=2.0,
                because=because,
            )
        )
