from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.columns import Kind
from homeostat.data.profile import profile
from homeostat.watch.columns import read_column, reference_sample
from homeostat.watch.methods import METHODS, chosen, sample_kind


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


VALUES = st.lists(st.none() | st.floats(), max_size=30).map(lambda v: pl.Series("v", v, dtype=pl.Float64))
WORDS = st.lists(st.none() | st.text(max_size=3), max_size=30).map(lambda v: pl.Series("v", v, dtype=pl.String))


@given(st.tuples(VALUES, st.just(Kind.FLOAT)) | st.tuples(WORDS, st.just(Kind.CATEGORY)))
def test_rows_measured_against_their_own_profile_have_not_moved(column):
    series, kind = column
    reference = reference_sample(profile(series.to_frame(), {"v": kind}).columns["v"])
    current = read_column(series, kind).to_sample(reference)
    assert len(current) == len(reference)
    for method in chosen(sample_kind(kind), [*METHODS]):
        assert method.measure(reference, current).effect == pytest.approx(0.0, abs=1e-6)


def test_text_and_dates_are_not_measured():
    assert reference_sample(profile(pl.DataFrame({"v": ["a b c"]}), {"v": Kind.TEXT}).columns["v"]) is None
    moment = pl.DataFrame({"v": [datetime(2013, 1, 1, tzinfo=UTC)]})
    assert reference_sample(profile(moment, {"v": Kind.DATETIME}).columns["v"]) is None
