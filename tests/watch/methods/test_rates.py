"""Every method at its own limits: how often it errs without drift, and how surely it sees a drift of a stated size."""

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import wasserstein_distance as scipys_wasserstein
from tests.watch.methods.false_alarms import SHARES, assert_false_alarm_rate, normal_draw, word_draw
from tests.watch.methods.false_alarms import category_counts as categories

from homeostat.watch.methods import METHODS
from homeostat.watch.methods.wasserstein import distance
from homeostat.watch.sample import numbers

NUMBERS = [name for name in METHODS if "number" in METHODS[name].kinds]
CATEGORIES = [name for name in METHODS if "category" in METHODS[name].kinds]


@pytest.mark.parametrize("n", [100, 1_000, 10_000])
@pytest.mark.parametrize("name", METHODS)
def test_p_values_are_as_small_as_chance_makes_them(name, n):
    """The share of p-values below 0.05 is a binomial's with that rate; `unseen` has nothing to count here."""
    draw = normal_draw if name in NUMBERS else word_draw
    assert_false_alarm_rate(METHODS[name], n=n, draw=draw, tries=200, may_be_fewer=name == "unseen")


def alarms(method, old, new, *, alpha=0.01, limit="alarm") -> bool:
    found = method.measure(old, new)
    return found.p_value < alpha and found.effect >= getattr(method, limit)


@pytest.mark.parametrize("n", [200, 1_000, 10_000])
@pytest.mark.parametrize("name", METHODS)
def test_effect_and_chance_together_hardly_ever_alarm_without_drift(name, n):
    """Nominal is below 1 % for a single column: more than 5 of 100 has a chance of 1 in 2,000."""
    rng = np.random.default_rng(n)
    method, found = METHODS[name], 0
    for _ in range(100):
        if name in NUMBERS:
            old = numbers(rng.normal(size=2_000))
            found += alarms(method, old, numbers(rng.normal(size=n), like=old))
        else:
            found += alarms(method, categories(rng, 2_000), categories(rng, n))
    assert found <= 5


# By how many standard deviations the mean moves so that the true effect is half as much again as the alarm's limit.
def shift_for(name: str) -> float:
    method = METHODS[name]
    grid = np.linspace(0.05, 3.0, 60)
    ideal = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    old = numbers(ideal)
    return next(d for d in grid if method.measure(old, numbers(ideal + d, like=old)).effect >= 1.5 * method.alarm)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_shift_half_as_large_again_as_the_limit_is_seen(name):
    shift = shift_for(name)
    rng = np.random.default_rng(0)
    seen = 0
    for _ in range(50):
        old = numbers(rng.normal(size=2_000))
        seen += alarms(METHODS[name], old, numbers(rng.normal(shift, size=1_000), like=old))
    assert seen >= 45, f"a shift of {shift:.2f} standard deviations was seen {seen} of 50 times"


@pytest.mark.parametrize("name", CATEGORIES)
def test_a_category_that_grew_is_seen(name):
    """A new category with 40 % of the rows is beyond every limit."""
    rng = np.random.default_rng(1)
    moved = np.append(SHARES * 0.6, 0.4)
    seen = sum(alarms(METHODS[name], categories(rng, 2_000), categories(rng, 1_000, moved)) for _ in range(50))
    assert seen == 50


def test_half_a_standard_deviation_is_a_wasserstein_of_a_half():
    rng = np.random.default_rng(2)
    old = numbers(rng.normal(size=20_000))
    assert METHODS["wasserstein"].measure(old, numbers(rng.normal(0.5, size=10_000))).effect == pytest.approx(
        0.5, abs=0.03
    )


@pytest.mark.parametrize(("n", "m"), [(70_000, 70_000), (70_000, 69_999), (1_000, 100_000), (65_536, 131_072)])
def test_large_samples_have_scipys_wasserstein_distance(n, m):
    rng = np.random.default_rng(n + m)
    a, b = rng.lognormal(size=n), rng.lognormal(0.1, size=m)
    for old, new in ((a, b), (np.round(a, 1), np.round(b, 1))):
        assert distance(np.sort(old), np.sort(new)) == pytest.approx(scipys_wasserstein(old, new), rel=1e-9)
