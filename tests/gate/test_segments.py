from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.gate.segments import segments

VALUES = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-50, 50)), min_size=1, max_size=80).map(
        lambda v: pl.Series("x", v, pl.Int64)
    ),
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6, allow_nan=False)), min_size=1, max_size=80).map(
        lambda v: pl.Series("x", v, pl.Float64)
    ),
    st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "", "(null)"])), min_size=1, max_size=80).map(
        lambda v: pl.Series("x", v, pl.String)
    ),
)


@given(VALUES)
@settings(max_examples=80, deadline=None)
def test_each_row_is_in_one_segment(column):
    total = np.sum([segment.rows for segment in segments(column)], axis=0)
    assert total.tolist() == [1] * len(column)


def test_many_numbers_make_quarters_of_like_size():
    parts = list(segments(pl.Series("x", np.random.default_rng(0).normal(size=1000))))
    assert [part.size for part in parts] == [250] * 4


def test_few_numbers_and_booleans_are_segments_by_value():
    assert [p.name for p in segments(pl.Series("x", [0, 1, 1, 0]))] == ["0", "1"]
    assert [p.name for p in segments(pl.Series("x", [True, False, None]))] == ["False", "True", "(null)"]


@pytest.mark.parametrize("bad", [float("nan"), None, float("inf")])
def test_numbers_that_are_none_do_not_spoil_the_quarters(bad):
    column = pl.Series("x", [bad, *np.arange(100.0)])
    parts = list(segments(column))
    assert sum(part.size for part in parts) == 101


def test_times_are_cut_into_quarters():
    start = datetime(2024, 1, 1, tzinfo=UTC)
    parts = list(segments(pl.Series("x", [start + timedelta(hours=i) for i in range(40)])))
    assert [part.size for part in parts] == [10] * 4
    assert parts[0].name.startswith("2024-01-01")
