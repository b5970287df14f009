import math

import numpy as np
import pytest
from scipy.special import rel_entr
from tests.watch.methods.false_alarms import assert_false_alarm_rate

from homeostat.watch.methods.psi import METHOD, measure, psi
from homeostat.watch.sample import Categories, numbers


def test_it_is_the_sum_of_both_relative_entropies():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(1, 200, 12).astype(float), rng.integers(1, 200, 12).astype(float)
        p, q = a / a.sum(), b / b.sum()
        assert psi(a, b) == pytest.approx(float(np.sum(rel_entr(p, q) + rel_entr(q, p))))
        assert psi(a, b) == pytest.approx(psi(b, a))


def test_a_bin_empty_on_one_side_counts_half_a_row():
    by_hand = (0.5 / 10.5 - 10 / 20) * math.log((0.5 / 10.5) / (10 / 20)) + (10 / 10.5 - 0.5) * math.log(
        (10 / 10.5) / 0.5
    )
    assert psi(np.array([10.0, 10.0]), np.array([0.0, 10.0])) == pytest.approx(by_hand)


def test_a_bin_empty_on_both_sides_changes_nothing():
    assert psi(np.array([3.0, 0.0, 7.0]), np.array([5.0, 0.0, 5.0])) == psi(np.array([3.0, 7.0]), np.array([5.0, 5.0]))


def test_numbers_are_binned_at_the_references_quantiles():
    rng = np.random.default_rng(1)
    ours = numbers(rng.normal(size=5_000))
    assert measure(ours, numbers(rng.normal(size=5_000), like=ours)).effect < 0.02
    assert measure(ours, numbers(rng.normal(1.0, size=5_000), like=ours)).effect > METHOD.alarm


def test_an_empty_side_is_not_tested():
    found = measure(Categories(counts={"a": 5}), Categories(counts={}))
    assert (found.effect, found.p_value) == (0.0, None)


def test_unseen_categories_only():
    found = measure(Categories(counts={"a": 500}), Categories(counts={"b": 500}))
    assert METHOD.alarm < found.effect < math.inf
    assert found.p_value < 1e-9


@pytest.mark.parametrize("n", [100, 1_000, 10_000])
def test_false_alarms_without_drift(n):
    assert_false_alarm_rate(METHOD, n=n, draw=lambda rng, size: rng.normal(size=size))
