"""A small model package and rows for it."""

from pathlib import Path

import numpy as np
import polars as pl
from sklearn.tree import DecisionTreeClassifier

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.train.package import write_package

SIGNATURE = Signature(
    columns=(
        Column(name="x", kind=Kind.FLOAT, nullable=False),
        Column(name="n", kind=Kind.INTEGER, nullable=False),
        Column(name="y", kind=Kind.FLOAT, nullable=True),
    ),
    task=Task.BINARY,
    target="gone",
    classes=("no", "yes"),
)


def rows(count: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "id": [f"c{at}" for at in range(count)],
            "x": rng.normal(size=count),
            "n": rng.integers(0, 9, count),
            "y": [None if at % 7 == 0 else float(at % 5) for at in range(count)],
        }
    )


def write(folder: Path) -> Path:
    frame = rows(300)
    features = frame.select("x", "n", "y").to_pandas()
    answers = np.where(frame["x"] + frame["n"] * 0.1 > 0.4, "yes", "no")
    model = DecisionTreeClassifier(max_depth=4, random_state=0).fit(features, answers)
    write_package(model, folder, signature=SIGNATURE, example=frame)
    return folder
