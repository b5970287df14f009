import numpy as np
from tests.watch.multivariate.null import turned

from homeostat.watch.joint import Samples
from homeostat.watch.multivariate.pca_reconstruction import METHOD


def test_a_correlation_that_turned_is_seen():
    found = METHOD.measure(turned(2_000, 1, by=-0.9))
    assert found.effect > METHOD.warn
    assert found.p_value < 0.01


def test_one_column_has_nothing_to_rebuild():
    rng = np.random.default_rng(1)
    found = METHOD.measure(Samples.of("a", rng.normal(0, 1, (200, 1)), rng.normal(5, 1, (200, 1))))
    assert (found.effect, found.p_value) == (0.0, 1.0)


def test_constant_and_missing_columns_are_no_error():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(200, 4)), rng.normal(size=(200, 4))
    x[:, 0], y[:, 0], x[:, 1] = 1.0, 1.0, np.nan
    assert METHOD.measure(Samples.of("abcd", x, y)).p_value > 0.0
