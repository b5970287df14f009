import numpy as np
import pytest
from scipy.stats import chi2_contingency
from scipy.stats.contingency import association
from tests.watch.methods.false_alarms import assert_false_alarm_rate

from homeostat.watch.methods.chi_square import METHOD, cramers_v, measure
from homeostat.watch.sample import Categories


def as_categories(counts) -> Categories:
    return Categories(counts={f"c{i}": int(count) for i, count in enumerate(counts)})


@pytest.mark.parametrize("seed", range(20))
def test_p_value_is_scipys(seed):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(5, 20.0))
    a, b = rng.multinomial(2_000, shares), rng.multinomial(300, shares)
    wanted = chi2_contingency(np.stack([a, b]), correction=False).pvalue
    assert measure(as_categories(a), as_categories(b)).p_value == pytest.approx(wanted, rel=1e-9)


def test_effect_is_scipys_cramer_v_for_samples_of_one_size():
    a, b = np.array([50, 30, 20]), np.array([20, 30, 50])
    assert cramers_v(a.astype(float), b.astype(float)) == pytest.approx(association(np.stack([a, b]), method="cramer"))


def test_effect_does_not_shrink_when_the_reference_is_larger():
    a, b = np.array([50.0, 30.0, 20.0]), np.array([20.0, 30.0, 50.0])
    assert cramers_v(a * 500, b) == pytest.approx(cramers_v(a, b))


def test_categories_expected_fewer_than_five_times_are_tested_as_one():
    ours = Categories(counts={"a": 1_000, "b": 1_000} | {f"rare{i}": 1 for i in range(30)})
    theirs = Categories(counts={"a": 100, "b": 100, "rare31": 1, "rare32": 1})
    table = np.array([[1_000, 1_000, 30], [100, 100, 2]])
    # 2 of 102 expected below 5 leaves three bins: a, b and the rare together
    assert measure(ours, theirs).p_value == pytest.approx(chi2_contingency(table, correction=False).pvalue)


def test_one_category_on_both_sides_has_nothing_to_test():
    found = measure(Categories(counts={"a": 50}), Categories(counts={"a": 80}))
    assert (found.effect, found.p_value) == (0.0, 1.0)


@pytest.mark.parametrize("n", [100, 1_000, 10_000])
def test_false_alarms_without_drift(n):
    assert_false_alarm_rate(METHOD, n=n, draw=lambda rng, size: rng.choice(list("abc"), size, p=[0.6, 0.3, 0.1]))
