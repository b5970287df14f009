"""Frames of every kind of column, as values of any sort, for the tests of profiles."""

import numpy as np
import polars as pl
from hypothesis import strategies as st

from homeostat.core.columns import Kind

KINDS = {"x": Kind.FLOAT, "n": Kind.INTEGER, "c": Kind.CATEGORY, "b": Kind.BOOLEAN, "t": Kind.DATETIME, "w": Kind.TEXT}
_FLOATS = st.none() | st.floats(width=32) | st.integers(-3, 3).map(float)


@st.composite
def frames(draw, most=40):
    """Return a frame of up to `most` rows with NaN, infinities, nulls, repeated values and odd texts."""
    rows = draw(st.integers(0, most))
    some = lambda values: draw(st.lists(values, min_size=rows, max_size=rows))  # noqa: E731
    return pl.DataFrame(
        {
            "x": pl.Series(some(_FLOATS), dtype=pl.Float64),
            "n": pl.Series(some(st.none() | st.integers(-(10**6), 10**6)), dtype=pl.Int64),
            "c": pl.Series(some(st.none() | st.sampled_from(["a", "b", "é", "", "NA"])), dtype=pl.String),
            "b": pl.Series(some(st.none() | st.booleans()), dtype=pl.Boolean),
            "t": pl.Series(some(st.none() | st.integers(0, 10**15)), dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
            "w": pl.Series(some(st.none() | st.text(max_size=12)), dtype=pl.String),
        }
    )


def world(rng, rows, *, categories=30) -> pl.DataFrame:
    """Return an ordinary frame of that many rows."""
    return pl.DataFrame(
        {
            "x": rng.normal(3.0, 2.0, rows),
            "n": rng.poisson(4.0, rows),
            "c": rng.choice([f"c{i}" for i in range(categories)], rows),
            "b": rng.random(rows) < 0.3,
            "t": pl.Series(np.sort(rng.integers(0, 10**15, rows))).cast(pl.Datetime("us", "UTC")),
            "w": [f"word{i % 50} and more" for i in range(rows)],
        }
    )
