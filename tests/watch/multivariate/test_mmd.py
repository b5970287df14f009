import numpy as np
import pytest
from tests.watch.multivariate.null import shifted

from homeostat.watch.multivariate.mmd import METHOD, fourier_features, median_distance


def test_features_approach_the_gaussian_kernel():
    x = np.random.default_rng(1).normal(size=(50, 6))
    features = fourier_features(x, width=2.0, features=20_000)
    squares = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    assert np.abs(features @ features.T - np.exp(-squares / 8)).max() < 0.03


def test_embeddings_that_moved_are_seen():
    found = METHOD.measure(shifted(1_500, 3, by=0.3, columns=64))
    assert found.effect > METHOD.warn
    assert found.p_value == pytest.approx(1 / 500)


def test_rows_that_are_all_alike_have_a_width():
    assert median_distance(np.ones((10, 2))) == 1.0
