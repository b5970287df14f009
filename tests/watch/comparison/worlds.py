"""Two tables of one world, and ways to spoil the second."""

import numpy as np
import polars as pl

ROWS = 2_000


def world(seed=0, rows=ROWS) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "x": rng.normal(3.0, 2.0, rows),
            "n": rng.poisson(4.0, rows),
            "c": rng.choice(["red", "green", "blue"], rows, p=[0.6, 0.3, 0.1]),
            "b": rng.random(rows) < 0.3,
            "t": pl.Series(np.sort(rng.integers(0, 10**15, rows))).cast(pl.Datetime("us")),
            "w": [f"a text of {'many ' * int(k)} words, number {i}" for i, k in enumerate(rng.integers(0, 9, rows))],
        }
    )


def spoilt(rows=ROWS, /, **columns) -> pl.DataFrame:
    """Return another draw of the world with some columns replaced; None: left out."""
    frame = world(1, rows)
    gone = [name for name, values in columns.items() if values is None]
    there = {name: values for name, values in columns.items() if values is not None}
    return frame.drop(gone).with_columns(**there)
