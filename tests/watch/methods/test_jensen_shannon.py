import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from tests.watch.methods.false_alarms import assert_false_alarm_rate

from homeostat.watch.methods.jensen_shannon import METHOD, distance, measure
from homeostat.watch.sample import Categories

COUNTS = st.lists(st.integers(0, 500), min_size=6, max_size=6).filter(sum).map(lambda c: np.array(c, dtype=float))


@given(COUNTS, COUNTS)
def test_distance_is_scipys(a, b):
    assert distance(a, b) == pytest.approx(jensenshannon(a, b, base=2), abs=1e-7)


@given(COUNTS, COUNTS)
def test_distance_is_symmetric_and_at_most_one(a, b):
    assert 0 <= distance(a, b) == pytest.approx(distance(b, a), abs=1e-9)
    assert distance(a, b) <= 1


def test_categories_the_reference_folded_together_are_folded_in_the_window_too():
    ours = Categories(counts={"a": 500, "b": 300}, other=200)
    theirs = Categories(counts={"a": 50, "b": 30, "x": 12, "y": 8})
    assert measure(ours, theirs).effect == pytest.approx(0.0)


def test_unseen_categories_only_are_as_far_as_can_be():
    found = measure(Categories(counts={"a": 300}), Categories(counts={"b": 300}))
    assert found.effect == 1.0
    assert found.p_value < 1e-9


def test_many_categories_in_a_small_window_are_far_but_not_significant():
    rng = np.random.default_rng(3)
    names = [f"c{i}" for i in range(400)]
    draw = lambda n: dict(zip(*np.unique(rng.choice(names, n), return_counts=True), strict=True))  # noqa: E731
    found = measure(Categories(counts=draw(5_000)), Categories(counts=draw(100)))
    assert found.effect > METHOD.alarm
    assert found.p_value > 0.01


def test_an_empty_side_is_not_tested():
    assert measure(Categories(counts={}), Categories(counts={"a": 5})).p_value is None


@pytest.mark.parametrize("n", [100, 1_000, 10_000])
def test_false_alarms_without_drift(n):
    shares = [0.5, 0.25, 0.15, 0.1]
    assert_false_alarm_rate(METHOD, n=n, draw=lambda rng, size: rng.choice(list("abcd"), size, p=shares))
