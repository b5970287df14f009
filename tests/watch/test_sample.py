import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.watch.sample import Categories, aligned_counts, numbers

ANY = st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.integers(-2, 2).map(float), max_size=80)


@given(ANY, ANY)
def test_every_value_is_in_exactly_one_bin(old, new):
    ours = numbers(old)
    theirs = numbers(new, like=ours)
    for sample, values in ((ours, old), (theirs, new)):
        assert sample.counts.sum() == (~np.isnan(values)).sum()
        assert len(sample) == np.isfinite(values).sum()
        assert len(sample.counts) == len(ours.edges) + 1
        assert np.all(np.diff(sample.values) >= 0)
        assert np.isfinite([sample.mean, sample.sd]).all()


def test_bins_hold_about_the_same_number_of_reference_rows():
    sample = numbers(np.random.default_rng(0).normal(size=2_000))
    assert len(sample.counts) == 20
    assert set(sample.counts) == {100}


def test_a_constant_column_has_one_bin_and_no_spread():
    sample = numbers([0.1] * 7)
    assert (len(sample.counts), sample.sd) == (1, 0.0)


def test_mean_and_spread_are_numpys():
    values = np.random.default_rng(0).normal(3, 2, 100)
    sample = numbers(values)
    assert (sample.mean, sample.sd) == pytest.approx((values.mean(), values.std()))


def test_categories_are_aligned_by_name():
    ours, theirs = aligned_counts(Categories(counts={"a": 3, "b": 1}), Categories(counts={"b": 2, "z": 5}))
    assert ours.tolist() == [3, 1, 0, 0]
    assert theirs.tolist() == [0, 2, 5, 0]


def test_numbers_are_not_compared_with_categories():
    with pytest.raises(TypeError, match="numeric"):
        aligned_counts(numbers([1.0]), Categories(counts={}))
