"""Small histories to replay, and rules in Python that are trained in no time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from homeostat.core.columns import Task
from homeostat.core.duration import Duration
from homeostat.data.settings import DataSettings
from homeostat.gate.settings import GateSettings
from homeostat.retrain.project import Project
from homeostat.retrain.settings import RetrainSettings
from homeostat.train.settings import TrainSettings
from homeostat.watch.settings import WatchSettings

START = datetime(2024, 1, 1, tzinfo=UTC)
ROWS_A_DAY = 50

# A table of the share of positives for each value of `x`: learns at once what the rows say, and nothing else.
SHARES = """
import numpy as np


class Shares:
    classes_ = np.array([0, 1])

    def __init__(self, data):
        x, y = data.X["x"].to_numpy(), data.y
        self.shares = np.array([(y[x == k].sum() + 1) / ((x == k).sum() + 2) for k in range(4)])

    def predict_proba(self, X):
        p = self.shares[X["x"].to_numpy().astype(int).clip(0, 3)]
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return (self.predict_proba(X)[:, 1] >= 0.5).astype(int)


def train(data):
    return Shares(data)


def broken(data):
    raise RuntimeError("no luck")
"""


def folder_with_rules(folder: Path) -> Path:
    (folder / "rules.py").write_text(SHARES)
    return folder


def moving_world(*, days: int = 60, change: int = 30, seed: int = 0) -> pl.DataFrame:
    """Rows whose rule turns over on day `change`: what said yes says no from then on."""
    rng = np.random.default_rng(seed)
    n = days * ROWS_A_DAY
    day = np.arange(n) // ROWS_A_DAY
    x = rng.integers(0, 4, n)
    likely = np.where(x >= 2, 0.85, 0.15)
    y = (rng.random(n) < np.where(day < change, likely, 1 - likely)).astype(int)
    times = [START + timedelta(seconds=86_400 / ROWS_A_DAY) * i for i in range(n)]
    return pl.DataFrame({"at": times, "x": x, "noise": rng.normal(size=n), "y": y})


def project(*, label_delay: str = "0s", time: str | None = "at", function: str = "rules:train", **parts) -> Project:
    given = {
        "data": DataSettings(source="rows.parquet", target="y", time=time, label_delay=Duration.parse(label_delay)),
        "train": TrainSettings(function=function, window=Duration(days=10) if time else None),
        "watch": WatchSettings(window=Duration(days=2), min_labels=50),
        "gate": GateSettings(),
        "retrain": RetrainSettings(cooldown=Duration(days=2)),
    }
    return Project(model="moving", task=Task.BINARY, **(given | parts))
