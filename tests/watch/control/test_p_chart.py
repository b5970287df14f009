import numpy as np
import pytest
from scipy.stats import binom

from homeostat.watch.control.p_chart import ShareLimits, share_limits


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


@pytest.mark.parametrize("rows", [100, 300, 1_000, 10_000, 1_000_000])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_a_window_in_control_lies_above_its_limit_as_often_as_three_sigma_says_though_few_rows_are_skewed(share, rows):
    """Counts are whole numbers, so the rate cannot be met exactly: it is 0.00135 at most, but for a tenth of it."""
    limits = ShareLimits(center=share, between=1.0)
    most = np.floor(limits.of(0, rows).upper * rows + 1e-9)
    assert 0.0004 < binom.sf(most, rows, share) < 0.0015


def test_what_never_happened_signals_when_it_does():
    limits = share_limits([0] * 10, [1000] * 10)
    assert not limits.of(0, 1000).signal
    assert limits.of(1, 1000).signal


def test_no_windows_or_no_shares_are_refused():
    with pytest.raises(ValueError, match="windows with rows"):
        share_limits([], [])
    with pytest.raises(ValueError, match="no share"):
        share_limits([1], [10]).of(11, 10)
