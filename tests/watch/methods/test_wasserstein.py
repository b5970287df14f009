import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance
from tests.watch.methods.false_alarms import assert_false_alarm_rate

from homeostat.watch.methods.wasserstein import METHOD, distance, measure
from homeostat.watch.sample import Categories, numbers

VALUES = st.lists(st.floats(-1e6, 1e6) | st.integers(-3, 3).map(float), min_size=1, max_size=60)


@given(VALUES, VALUES)
def test_distance_is_scipys(a, b):
    assert distance(np.sort(a), np.sort(b)) == pytest.approx(wasserstein_distance(a, b), rel=1e-9, abs=1e-9)


def test_a_shift_by_half_a_standard_deviation_is_an_effect_of_a_half():
    rng = np.random.default_rng(0)
    values = rng.normal(10, 4, 5000)
    found = measure(numbers(values), numbers(values + 2))
    assert found.effect == pytest.approx(2 / values.std())
    assert found.p_value < 1e-9


def test_effect_does_not_depend_on_the_unit():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=300), rng.normal(0.3, 1, size=200)
    assert measure(numbers(a * 1e3), numbers(b * 1e3)).effect == pytest.approx(measure(numbers(a), numbers(b)).effect)


@pytest.mark.parametrize(("current", "effect"), [([5.0] * 40, 0.0), ([6.0] * 40, 2.0), ([-1e300] * 40, 2.0)])
def test_constant_reference_has_a_finite_effect(current, effect):
    found = measure(numbers([5.0] * 40), numbers(current))
    assert found.effect == pytest.approx(effect)
    assert (found.p_value < 0.01) == (effect > 0)


def test_values_near_the_largest_float_do_not_overflow():
    huge = np.array([-1.7e308, 1.7e308] * 30)
    assert measure(numbers(huge), numbers(huge)).effect == 0.0
    assert 0 < measure(numbers(huge), numbers(np.abs(huge))).effect < 10


def test_an_empty_side_is_not_tested():
    found = measure(numbers([1.0, 2.0]), numbers([float("nan")]))
    assert (found.effect, found.p_value) == (0.0, None)


def test_categories_are_refused():
    with pytest.raises(TypeError, match="numbers"):
        measure(Categories(counts={"a": 1}), Categories(counts={"a": 1}))


@pytest.mark.parametrize("n", [100, 1_000, 10_000])
def test_false_alarms_without_drift(n):
    assert_false_alarm_rate(METHOD, n=n, draw=lambda rng, size: rng.lognormal(size=size))
