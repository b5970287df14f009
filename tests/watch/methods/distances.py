"""What holds for every distance between the shares of two sets of categories."""

import numpy as np
import pytest
from tests.watch.methods.false_alarms import assert_false_alarm_rate

from homeostat.watch.method import Method
from homeostat.watch.sample import Categories


def check_it_agrees_with(reference, distance) -> None:
    """Both take counts; the reference gets shares. It is symmetric."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 200, 12).astype(float), rng.integers(1, 500, 12).astype(float)
        assert distance(a, b) == pytest.approx(reference(a / a.sum(), b / b.sum()))
        assert distance(a, b) == pytest.approx(distance(b, a))


def check_an_empty_side_is_not_tested(method: Method) -> None:
    found = method.measure(Categories(counts={"a": 5}), Categories(counts={}))
    assert (found.effect, found.p_value) == (0.0, None)


def check_it_sees_a_category_that_takes_a_third_of_the_rows(method: Method) -> None:
    old, new = Categories(counts={"a": 500, "b": 500}), Categories(counts={"a": 335, "b": 335, "c": 330})
    found = method.measure(old, new)
    assert found.effect > method.alarm
    assert found.p_value < 1e-9


def check_false_alarms_without_drift(method: Method, n: int) -> None:
    shares = [0.4, 0.3, 0.1, 0.1, 0.05, 0.05]
    assert_false_alarm_rate(method, n=n, draw=lambda rng, size: rng.choice(list("abcdef"), size, p=shares))
