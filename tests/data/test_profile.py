import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.core.columns import Kind
from homeostat.data.profile import BINS, QUANTILES, SAMPLE, TOP, Profile, profile


def numbers(values, like=None, kind=Kind.FLOAT):
    known = None if like is None else Profile(rows=0, columns={"x": like})
    return profile(pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)}), {"x": kind}, like=known).columns["x"]


def test_moments_and_quantiles_are_those_of_numpy():
    values = np.random.default_rng(0).normal(3, 2, 10_001)
    found = numbers(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.sd == pytest.approx(values.std())
    wanted = np.quantile(values, QUANTILES, method="nearest")
    assert list(found.quantiles.values()) == pytest.approx(wanted.tolist())
    assert len(found.edges) == BINS - 1
    assert max(found.counts) - min(found.counts) <= 2
    assert len(found.sample) == SAMPLE
    assert (found.sample[0], found.sample[-1]) == (values.min(), values.max())


def test_missing_and_infinite_values_are_counted_apart():
    found = numbers([1.0, 3.0, None, float("nan"), float("inf"), float("-inf")])
    assert (found.count, found.nulls, found.nans, found.infinite) == (6, 1, 1, 2)
    assert (found.mean, found.sd, found.min, found.max) == (2.0, 1.0, 1.0, 3.0)
    assert sum(found.counts) == 4


def test_a_later_window_is_counted_in_the_bins_of_the_reference():
    reference = numbers(np.arange(1000.0))
    shifted = numbers(np.arange(1000.0) + 500, like=reference)
    assert shifted.edges == reference.edges
    assert shifted.counts[0] == 0
    assert shifted.counts[-1] == pytest.approx(550, abs=2)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.none() | st.floats() | st.integers(-3, 3).map(float), max_size=60), st.lists(st.floats(), max_size=30)
)
def test_any_numbers_have_a_profile_that_survives_json(values, later):
    found = numbers(values)
    whole = Profile(rows=len(values), columns={"x": found})
    assert Profile.from_json(json.loads(json.dumps(whole.to_json(), allow_nan=False))) == whole
    assert sum(found.counts) == found.count - found.nulls - found.nans
    assert found.edges == sorted(set(found.edges))
    assert len(found.counts) == len(found.edges) + 1
    if found.mean is not None:
        assert found.min <= found.quantiles["0.5"] <= found.max
        assert found.sd >= 0
    assert sum(numbers(later, like=found).counts) == sum(v == v for v in later)  # noqa: PLR0124 - NaN is not itself


def test_repeated_values_share_a_bin():
    found = numbers([0.0] * 90 + [1.0] * 10)
    assert (found.edges, found.counts) == ([0.0], [90, 10])
    assert numbers([5.0] * 9).edges == []


def test_categories_are_the_most_frequent_and_the_rest():
    values = [f"c{n:04}" for n in range(TOP + 5)] * 2 + ["c0001", None]
    found = profile(pl.DataFrame({"c": values}), {"c": Kind.CATEGORY}).columns["c"]
    assert next(iter(found.counts)) == "c0001"
    assert (found.distinct, found.nulls, found.other, len(found.counts)) == (TOP + 5, 1, 10, TOP)


def test_categories_of_the_reference_come_first_even_when_gone():
    reference = profile(pl.DataFrame({"c": ["a", "b"]}), {"c": Kind.CATEGORY})
    found = profile(pl.DataFrame({"c": ["b", "new"]}), {"c": Kind.CATEGORY}, like=reference).columns["c"]
    assert found.counts == {"a": 0, "b": 1, "new": 1}


def test_every_kind_has_a_profile_and_all_survive_json():
    frame = pl.DataFrame(
        {
            "flag": [True, None],
            "when": [datetime(2020, 1, 1, tzinfo=UTC), None],
            "text": ["abc", ""],
            "n": [1, 2],
            "none": pl.Series([None, None], dtype=pl.String),
        }
    )
    kinds = {"flag": Kind.BOOLEAN, "when": Kind.DATETIME, "text": Kind.TEXT, "n": Kind.INTEGER, "none": Kind.TEXT}
    found = profile(frame, kinds)
    assert found.columns["flag"].counts == {"true": 1}
    assert found.columns["when"].max == datetime(2020, 1, 1, tzinfo=UTC)
    assert (found.columns["text"].min_length, found.columns["text"].mean_length) == (0, 1.5)
    for whole in (found, profile(frame.clear(), kinds), profile(frame.clear(), kinds, like=found)):
        assert Profile.from_json(json.loads(json.dumps(whole.to_json(), allow_nan=False))) == whole


def test_the_size_does_not_grow_with_the_rows():
    rng = np.random.default_rng(0)
    sizes = []
    for rows in (10_000, 200_000):
        frame = pl.DataFrame({"x": rng.normal(size=rows), "c": pl.Series(rng.integers(0, 10**9, rows)).cast(pl.String)})
        sizes.append(len(json.dumps(profile(frame, {"x": Kind.FLOAT, "c": Kind.CATEGORY}).to_json())))
    assert sizes[1] < 1.1 * sizes[0]
