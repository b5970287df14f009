import numpy as np
import pytest
from scipy.stats import energy_distance
from tests.watch.multivariate.null import shifted

from homeostat.watch.multivariate.energy import METHOD, coefficient


def test_in_one_dimension_it_is_scipys():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, 300), rng.normal(0.7, 2, 200)
    between = 2 * np.abs(a[:, None] - b[None, :]).mean()
    assert coefficient(a[:, None], b[:, None]) * between == pytest.approx(energy_distance(a, b) ** 2, rel=1e-6)


def test_equal_samples_have_none():
    x = np.random.default_rng(2).normal(size=(100, 3))
    assert coefficient(x, x) == pytest.approx(0.0, abs=1e-7)


def test_embeddings_that_moved_are_seen():
    found = METHOD.measure(shifted(1_500, 3, by=0.5, columns=64))
    assert found.effect > METHOD.warn
    assert found.p_value == pytest.approx(1 / 500)
