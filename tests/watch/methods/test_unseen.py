import numpy as np
import pytest
from scipy.stats import binomtest
from tests.watch.methods.false_alarms import assert_false_alarm_rate

from homeostat.watch.methods.unseen import METHOD, measure
from homeostat.watch.sample import Categories, numbers


def test_effect_is_the_share_of_rows():
    found = measure(Categories(counts={"a": 900, "b": 100}), Categories(counts={"a": 90, "z": 10}))
    assert found.effect == pytest.approx(0.1)
    assert found.p_value == pytest.approx(binomtest(10, 11, 100 / 1_100, alternative="greater").pvalue)


def test_all_seen_is_nothing():
    found = measure(Categories(counts={"a": 9, "b": 1}), Categories(counts={"a": 90}))
    assert (found.effect, found.p_value) == (0.0, 1.0)


def test_what_the_reference_folded_may_be_met_again():
    ours = Categories(counts={"a": 800}, other=200)
    assert measure(ours, Categories(counts={"a": 80, "x": 20})).effect == 0.0
    found = measure(ours, Categories(counts={"a": 600, "x": 400}))
    assert found.effect == pytest.approx(0.2)
    assert found.p_value < 1e-6


def test_many_rare_categories_bring_new_ones_without_drift():
    rng = np.random.default_rng(0)
    old, new = (np.unique(rng.zipf(1.5, n), return_counts=True) for n in (1_000, 1_000))
    ours, theirs = (
        Categories(counts=dict(zip(map(str, names.tolist()), counts.tolist(), strict=True)))
        for names, counts in (old, new)
    )
    found = measure(ours, theirs)
    assert found.effect > METHOD.alarm
    assert found.p_value > 0.01


def test_an_empty_side_is_not_tested():
    assert measure(Categories(counts={}), Categories(counts={"a": 5})).p_value is None


def test_numbers_are_refused():
    with pytest.raises(TypeError, match="categor"):
        measure(numbers([1.0]), numbers([1.0]))


@pytest.mark.parametrize("n", [100, 1_000, 10_000])
def test_false_alarms_without_drift(n):
    """Few categories are seen all; so many that new ones always come alarm no more often than by chance."""
    assert_false_alarm_rate(METHOD, n=n, draw=lambda rng, size: rng.choice(list("abc"), size), may_be_fewer=True)
    assert_false_alarm_rate(
        METHOD, n=n, draw=lambda rng, size: np.minimum(rng.zipf(1.7, size), 10**6), may_be_fewer=True
    )
