import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kurtosis, skew

from homeostat.watch.profile.moments import Moments, merged_moments, moments_of

VALUES = arrays(np.float64, st.integers(0, 60), elements=st.floats(-1e6, 1e6))


def near(found: Moments, wanted: Moments) -> bool:
    scale = max(1.0, abs(wanted.mean), wanted.sd)
    powers = ((found.m2, wanted.m2, 2), (found.m3, wanted.m3, 3), (found.m4, wanted.m4, 4))
    return (
        found.count == wanted.count
        and found.mean == pytest.approx(wanted.mean, abs=1e-9 * scale)
        and all(a == pytest.approx(b, rel=1e-7, abs=1e-7 * max(1, found.count) * scale**k) for a, b, k in powers)
    )


@given(VALUES, VALUES, VALUES)
def test_parts_merge_to_the_whole_in_any_order_and_grouping(a, b, c):
    whole = moments_of(np.concatenate([a, b, c]))
    one, two, three = map(moments_of, (a, b, c))
    assert near(merged_moments(merged_moments(one, two), three), whole)
    assert near(merged_moments(one, merged_moments(two, three)), whole)
    assert near(merged_moments(three, merged_moments(two, one)), whole)


def test_shape_is_scipys():
    values = np.random.default_rng(0).gamma(2.0, size=5_000)
    parts = [moments_of(part) for part in np.array_split(values, 7)]
    found = parts[0]
    for part in parts[1:]:
        found = merged_moments(found, part)
    assert found.sd == pytest.approx(values.std())
    assert found.skewness == pytest.approx(skew(values))
    assert found.kurtosis == pytest.approx(kurtosis(values))


def test_huge_values_give_finite_moments():
    values = np.array([1e300, -1e300, 3.0])
    found = merged_moments(moments_of(values), moments_of(values))
    assert np.isfinite([found.mean, found.m2, found.m3, found.m4, found.sd, found.skewness, found.kurtosis]).all()


def test_a_small_spread_far_from_zero_is_kept():
    values = 1e9 + np.array([0.0, 1.0, 2.0])
    found = merged_moments(moments_of(values), moments_of(values))
    assert found.sd == pytest.approx(np.std([0.0, 1.0, 2.0]))
