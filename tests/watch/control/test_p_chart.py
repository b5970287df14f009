import numpy as np
import pytest

from homeostat.watch.control.p_chart import share_limits


def test_binomial_windows_get_binomial_limits():
    rng = np.random.default_rng(0)
    bad = rng.binomial(5000, 0.02, 1000).tolist()
    limits = share_limits(bad, [5000] * 1000)
    assert limits.between == pytest.approx(1.0, abs=0.15)
    assert limits.of(160, 5000).signal


def test_windows_that_scatter_more_than_binomial_widen_their_limits():
    rng = np.random.default_rng(1)
    shares = rng.normal(0.02, 0.004, 400).clip(0.001)
    bad = rng.binomial(1_000_000, shares)
    limits = share_limits(bad[:200].tolist(), [1_000_000] * 200)
    assert limits.between > 20  # binomial limits alone would call nearly every window out of control
    late = [limits.of(int(b), 1_000_000).signal for b in bad[200:]]
    assert sum(late) <= 4


def test_small_windows_have_wide_limits_and_large_ones_narrow():
    limits = share_limits([20, 21, 19, 22], [1000] * 4)
    assert not limits.of(5, 100).signal
    assert limits.of(500, 10_000).signal


def test_what_never_happened_signals_when_it_does():
    limits = share_limits([0] * 10, [1000] * 10)
    assert not limits.of(0, 1000).signal
    assert limits.of(1, 1000).signal


def test_no_windows_or_no_shares_are_refused():
    with pytest.raises(ValueError, match="windows with rows"):
        share_limits([], [])
    with pytest.raises(ValueError, match="no share"):
        share_limits([1], [10]).of(11, 10)
