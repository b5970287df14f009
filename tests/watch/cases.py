"""A small world to watch: one number and one category decide a binary target, and a model knows how."""

import numpy as np
import polars as pl

from homeostat.core.columns import Kind, Task
from homeostat.track.predictions import Predictions
from homeostat.watch.reference import Reference, build_reference
from homeostat.watch.settings import WatchSettings

KINDS = {"x": Kind.FLOAT, "n": Kind.INTEGER, "c": Kind.CATEGORY, "flag": Kind.BOOLEAN}
CLASSES = ("no", "yes")
SETTINGS = WatchSettings()


def rows(n: int, seed: int, *, shift: float = 0.0, shares=(0.5, 0.3, 0.2)) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "x": rng.normal(shift, 1.0, n),
            "n": rng.poisson(5, n),
            "c": rng.choice(["a", "b", "d"], n, p=shares),
            "flag": rng.random(n) < 0.5,
        },
        schema={"x": pl.Float64, "n": pl.Int64, "c": pl.String, "flag": pl.Boolean},
    )


def chance(frame: pl.DataFrame) -> np.ndarray:
    return 1 / (1 + np.exp(-2 * frame["x"].to_numpy() - (frame["c"] == "a").to_numpy()))


def truth(frame: pl.DataFrame, seed: int, *, flip: float = 0.0) -> np.ndarray:
    """What happened; `flip` is the share of rows in which the world turned against the model."""
    rng = np.random.default_rng(seed + 10_000)
    yes = rng.random(frame.height) < chance(frame)
    return np.where(yes ^ (rng.random(frame.height) < flip), "yes", "no")


def answers(frame: pl.DataFrame) -> Predictions:
    p = chance(frame)
    return Predictions(labels=np.where(p > 0.5, "yes", "no"), scores=np.stack([1 - p, p], axis=1), classes=CLASSES)


def reference(n: int = 4_000, seed: int = 1, **options) -> Reference:
    frame = rows(n, seed)
    return build_reference(
        frame,
        truth(frame, seed),
        answers(frame),
        **{"kinds": KINDS, "task": Task.BINARY, "metric": None, "version": 1} | options,
    )
