import numpy as np
import pytest
from scipy.stats import chi2_contingency

from homeostat.watch.significance import homogeneity_p_value, ks_distance, ks_p_value


def test_bins_are_folded_by_the_reference_alone():
    """A window that happens to fill rare bins is not made to look different by picking the bins it filled."""
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(400):
        ours, theirs = rng.multinomial(1_000, np.full(20, 0.05)), rng.multinomial(100, np.full(20, 0.05))
        p_values.append(homogeneity_p_value(ours.astype(float), theirs.astype(float)))
    assert np.mean(np.array(p_values) < 0.05) < 0.09


def test_without_rare_bins_it_is_scipys():
    a, b = np.array([40.0, 60.0, 50.0]), np.array([80.0, 70.0, 60.0])
    assert homogeneity_p_value(a, b) == pytest.approx(chi2_contingency(np.stack([a, b]), correction=False).pvalue)


def test_nothing_to_test_is_not_a_p_value():
    assert homogeneity_p_value(np.zeros(3), np.ones(3)) is None
    assert ks_p_value(0.5, 0, 10) is None
    assert ks_distance(np.empty(0), np.ones(3)) == 0.0


def test_the_largest_distance_is_certain():
    assert ks_p_value(1.0, 1_000, 1_000) == pytest.approx(0.0)
    assert ks_p_value(0.0, 10, 10) == 1.0
