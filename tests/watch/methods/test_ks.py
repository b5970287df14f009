import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from tests.watch.methods.false_alarms import assert_false_alarm_rate

from homeostat.watch.methods.ks import METHOD, measure
from homeostat.watch.sample import Categories, numbers

VALUES = st.lists(st.floats(-1e6, 1e6) | st.integers(-3, 3).map(float), min_size=2, max_size=60)


@given(VALUES, VALUES)
def test_effect_is_scipys_statistic_ties_included(a, b):
    assert measure(numbers(a), numbers(b)).effect == pytest.approx(ks_2samp(a, b, method="asymp").statistic)


@pytest.mark.parametrize(("n", "m"), [(100, 100), (100, 2_000), (1_000, 700), (10_000, 2_000)])
@pytest.mark.parametrize("shift", [0.0, 0.05, 0.15])
def test_p_value_is_near_scipys(n, m, shift):
    rng = np.random.default_rng(n + m)
    a, b = rng.normal(size=n), rng.normal(shift, size=m)
    wanted = ks_2samp(a, b, method="asymp").pvalue
    assert measure(numbers(a), numbers(b)).p_value == pytest.approx(wanted, rel=0.06, abs=0.02)


@pytest.mark.parametrize("m", [3_000, 40_000, 60_000])
@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, n: rng.normal(size=n),
        lambda rng, n: rng.normal(0.05, size=n),
        lambda rng, n: rng.poisson(3.0, n).astype(float),
        lambda rng, n: np.where(rng.random(n) < 0.9, 0.0, rng.lognormal(size=n)),
        lambda rng, n: np.full(n, 7.0),
    ],
    ids=["same", "shifted", "few values", "mostly zero", "constant"],
)
def test_large_samples_are_exact_too(m, draw):
    """Above 16,384 values only some places are looked at: those where the distance may lie."""
    rng = np.random.default_rng(m)
    a, b = draw(rng, 40_000), draw(rng, m)
    base = rng.normal(size=40_000) if len(set(a)) > 1_000 else a
    for old in (a, base):
        wanted = ks_2samp(old, b, method="asymp").statistic
        assert measure(numbers(old), numbers(b)).effect == pytest.approx(wanted, abs=1e-12)


def test_a_sample_against_itself_has_no_distance():
    values = numbers(np.random.default_rng(0).normal(size=30_000))
    assert measure(values, values).effect == 0.0


def test_effect_survives_a_monotone_change_of_scale():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=200), rng.normal(0.4, size=300)
    assert measure(numbers(np.exp(a)), numbers(np.exp(b))).effect == measure(numbers(a), numbers(b)).effect


def test_an_empty_side_is_not_tested():
    assert measure(numbers([]), numbers([1.0])).p_value is None


def test_categories_are_refused():
    with pytest.raises(TypeError, match="numbers"):
        measure(numbers([1.0]), Categories(counts={"a": 1}))


@pytest.mark.parametrize("n", [100, 1_000, 10_000])
def test_false_alarms_without_drift(n):
    assert_false_alarm_rate(METHOD, n=n, draw=lambda rng, size: rng.normal(size=size))


def test_false_alarms_with_ties_are_fewer_not_more():
    assert_false_alarm_rate(
        METHOD, n=500, draw=lambda rng, size: rng.poisson(2.0, size).astype(float), may_be_fewer=True
    )
