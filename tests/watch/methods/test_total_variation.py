import numpy as np
import pytest
from scipy.spatial.distance import cityblock
from tests.watch.methods.false_alarms import assert_false_alarm_rate

from homeostat.watch.methods.total_variation import METHOD, distance, measure
from homeostat.watch.sample import Categories


def test_it_agrees_with_the_norm_of_scipy_or_numpy():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 200, 12).astype(float), rng.integers(1, 500, 12).astype(float)
        p, q = a / a.sum(), b / b.sum()
        assert distance(a, b) == pytest.approx(cityblock(p, q) / 2)
        assert distance(a, b) == pytest.approx(distance(b, a))


def test_an_empty_side_is_not_tested():
    found = measure(Categories(counts={"a": 5}), Categories(counts={}))
    assert (found.effect, found.p_value) == (0.0, None)


def test_it_sees_a_category_that_takes_a_third_of_the_rows():
    old, new = Categories(counts={"a": 500, "b": 500}), Categories(counts={"a": 335, "b": 335, "c": 330})
    found = measure(old, new)
    assert found.effect > METHOD.alarm
    assert found.p_value < 1e-9


@pytest.mark.parametrize("n", [100, 1_000, 10_000])
def test_false_alarms_without_drift(n):
    assert_false_alarm_rate(
        METHOD, n=n, draw=lambda rng, size: rng.choice(list("abcdef"), size, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.05])
    )
