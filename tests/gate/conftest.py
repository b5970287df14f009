"""A world whose true probabilities are known, so that good, bad and equal models can be made to order."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.gate.evidence import Evidence
from homeostat.track.predictions import Predictions

BINARY = Signature(
    task=Task.BINARY,
    columns=(
        Column(name="amount", kind=Kind.FLOAT),
        Column(name="region", kind=Kind.CATEGORY),
        Column(name="age", kind=Kind.INTEGER),
    ),
    target="bought",
    classes=("no", "yes"),
)
NUMBER = Signature(task=Task.REGRESSION, columns=BINARY.columns, target="price")


def scored(p, classes=("no", "yes")) -> Predictions:
    p = np.asarray(p, dtype=np.float64)
    labels = np.array(classes)[(p >= 0.5).astype(int)]
    return Predictions(labels=labels, scores=np.column_stack((1 - p, p)), classes=classes)


def features(rng, n: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "time": [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=i) for i in range(n)],
            "amount": rng.normal(0, 1, n),
            "region": rng.choice(["north", "south", "east", "west"], n),
            "age": rng.integers(18, 80, n),
        }
    )


@dataclass
class World:
    """`p` are the true probabilities (binary), `mean` the true means (regression)."""

    n: int = 2000
    seed: int = 0
    rng: np.random.Generator = field(init=False)

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        self.frame = features(self.rng, self.n)
        self.amount = self.frame["amount"].to_numpy()
        self.p = 1 / (1 + np.exp(-1.5 * self.amount))
        self.y = np.where(self.rng.uniform(size=self.n) < self.p, "yes", "no")
        self.mean = 10 * self.amount + 100
        self.price = self.mean + self.rng.normal(0, 5, self.n)

    def binary(self, candidate=None, **more) -> Evidence:
        """The true probabilities are the candidate unless another is given."""
        facts = {"signature": BINARY, "candidate": scored(self.p) if candidate is None else candidate} | more
        return Evidence(task=Task.BINARY, test=self.frame.with_columns(pl.Series("bought", self.y)), y=self.y, **facts)

    def regression(self, candidate=None, **more) -> Evidence:
        answers = Predictions(labels=np.asarray(self.mean if candidate is None else candidate))
        frame = self.frame.with_columns(pl.Series("price", self.price))
        return Evidence(
            **(
                {"task": Task.REGRESSION, "signature": NUMBER, "test": frame, "y": self.price, "candidate": answers}
                | more
            )
        )


@pytest.fixture
def world():
    return World


@pytest.fixture
def scores():
    return scored
