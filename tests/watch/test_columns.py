from datetime import UTC, datetime

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.columns import Kind
from homeostat.watch.columns import SAMPLE, ColumnProfile, profile_column, read_column
from homeostat.watch.sample import Categories, Numbers


@pytest.mark.parametrize(
    ("series", "kind", "null", "spoilt"),
    [
        (pl.Series([1.0, None, float("nan"), float("inf")]), Kind.FLOAT, 2, 1),
        (pl.Series(["1", "x", None]), Kind.INTEGER, 1, 1),
        (pl.Series([True, None]), Kind.FLOAT, 1, 0),
        (pl.Series([datetime(2013, 1, 1, tzinfo=UTC), None]), Kind.FLOAT, 1, 1),
        (pl.Series([[1], None]), Kind.FLOAT, 1, 1),
        (pl.Series([[1], None]), Kind.CATEGORY, 1, 0),
        (pl.Series([None, None]), Kind.FLOAT, 2, 0),
        (pl.Series([None, None]), Kind.CATEGORY, 2, 0),
        (pl.Series(["2013-01-01", None]), Kind.DATETIME, 1, 0),
        (pl.Series([17, None]), Kind.DATETIME, 1, 1),
        (pl.Series([], dtype=pl.Float64), Kind.FLOAT, 0, 0),
    ],
)
def test_whatever_comes_is_read_as_the_kind_and_counted(series, kind, null, spoilt):
    read = read_column(series, kind)
    assert (int(read.null.sum()), int(read.spoilt.sum())) == (null, spoilt)


def test_a_large_column_is_kept_as_a_sample_that_has_its_distribution():
    values = np.random.default_rng(0).lognormal(size=50_000)
    profile = profile_column(pl.Series(values), Kind.FLOAT)
    assert len(profile.sample) == SAMPLE
    assert (profile.sample[0], profile.sample[-1]) == (values.min(), values.max())
    assert np.median(profile.sample) == pytest.approx(np.median(values), rel=0.01)
    assert sum(profile.counts) == 50_000


def test_many_categories_are_kept_as_the_most_frequent_and_the_rest():
    words = [f"w{i}" for i in range(3_000)] + ["often"] * 10
    profile = profile_column(pl.Series(words), Kind.CATEGORY)
    assert len(profile.categories) == 1_000
    assert (profile.categories["often"], profile.other, profile.once) == (10, 2_001, 3_000)


@given(
    st.lists(st.none() | st.floats(), max_size=30).map(lambda v: pl.Series(v, dtype=pl.Float64)),
    st.lists(st.none() | st.text(max_size=3), max_size=30).map(lambda v: pl.Series(v, dtype=pl.String)),
)
def test_profiles_survive_json(values, words):
    for series, kind in ((values, Kind.FLOAT), (words, Kind.CATEGORY)):
        profile = profile_column(series, kind)
        again = msgspec.json.decode(msgspec.json.encode(profile), type=ColumnProfile)
        assert again == profile
        assert isinstance(again.to_sample(), Numbers if kind is Kind.FLOAT else Categories)
        assert profile.rows == len(series)


def test_text_and_dates_are_not_measured():
    assert profile_column(pl.Series(["a b c"]), Kind.TEXT).to_sample() is None
