import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.core.errors import NotEnoughData
from homeostat.gate import stats

SIMULATIONS = 400


def covered_share(truth, interval_of) -> float:
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(SIMULATIONS):
        interval = interval_of(rng)
        hits += interval.low <= truth <= interval.high
    return hits / SIMULATIONS


def within_binomial_limits(share: float, nominal: float = 0.95) -> bool:
    from scipy.stats import binom

    low, high = binom.interval(0.999, SIMULATIONS, nominal)
    return low / SIMULATIONS <= share <= high / SIMULATIONS


def test_mean_interval_covers_the_mean_of_skewed_losses_as_often_as_it_says():
    share = covered_share(1.0, lambda rng: stats.mean_interval(rng.exponential(1.0, 150), rng=rng, resamples=500))
    assert within_binomial_limits(share), share


def test_difference_interval_covers_the_difference_of_paired_losses_as_often_as_it_says():
    def one(rng):
        hard = rng.exponential(1.0, 200)
        return stats.difference_interval(
            hard + rng.exponential(0.3, 200), hard + rng.normal(0, 0.2, 200), rng=rng, resamples=500
        )

    share = covered_share(0.3, one)
    assert within_binomial_limits(share), share


def test_difference_of_roots_covers_the_difference_of_two_rmse():
    def one(rng):
        noise = rng.normal(0, 1, (2, 300))
        return stats.difference_interval((2 * noise[0]) ** 2, noise[1] ** 2, rng=rng, resamples=500, transform=np.sqrt)

    share = covered_share(1.0, one)
    assert within_binomial_limits(share), share


def test_statistic_interval_covers_a_median_as_often_as_it_says():
    def one(rng):
        values = rng.normal(0, 1, 150)
        return stats.statistic_interval(lambda rows: float(np.median(values[rows])), 150, rng=rng, resamples=300)

    share = covered_share(0.0, one)
    assert within_binomial_limits(share), share


def test_statistic_interval_of_capped_resamples_is_as_wide_as_of_whole_ones():
    values = np.random.default_rng(0).normal(size=8000)
    whole, capped = (
        stats.statistic_interval(
            lambda rows: float(values[rows].mean()), 8000, rng=np.random.default_rng(1), resamples=600, most_rows=most
        )
        for most in (8000, 500)
    )
    assert capped.estimate == whole.estimate
    assert capped.high - capped.low == pytest.approx(whole.high - whole.low, rel=0.15)


def autocorrelated(rng, n: int, weight: float = 0.8):
    from scipy.signal import lfilter

    return lfilter([1.0], [1.0, -weight], rng.normal(size=n + 200))[200:]


def test_block_length_is_one_for_independent_rows_and_grows_with_autocorrelation():
    rng = np.random.default_rng(5)
    independent = [stats.block_length(rng.normal(size=2000)) for _ in range(50)]
    assert np.median(independent) <= 2
    weak = np.median([stats.block_length(autocorrelated(rng, 2000, 0.4)) for _ in range(30)])
    strong = np.median([stats.block_length(autocorrelated(rng, 2000, 0.9)) for _ in range(30)])
    assert 2 < weak < strong < 200


def test_block_length_follows_the_closed_form_of_an_ar1_process():
    # For AR(1): slope G = 2r/(1-r)^2 v, level g(0) = (1+r)/(1-r) v with v the variance of the values.
    r, n = 0.6, 20_000
    g = 2 * r / (1 - r) ** 2
    level = (1 + r) / (1 - r)
    expected = (1.5 * g**2 / level**2 * n) ** (1 / 3)
    rng = np.random.default_rng(2)
    found = np.median([stats.block_length(autocorrelated(rng, n, r)) for _ in range(15)])
    assert found == pytest.approx(expected, rel=0.2)


def test_blocks_keep_coverage_where_rows_follow_each_other():
    def with_block(rng):
        values = autocorrelated(rng, 1500)
        return stats.mean_interval(values, rng=rng, resamples=300, block=stats.block_length(values))

    def without_block(rng):
        return stats.mean_interval(autocorrelated(rng, 1500), rng=rng, resamples=300)

    assert covered_share(0.0, with_block) > 0.90
    assert covered_share(0.0, without_block) < 0.75


def test_false_alarms_of_a_difference_between_equals_stay_at_their_rate():
    rng = np.random.default_rng(3)
    worse = better = 0
    for _ in range(600):
        hard = rng.exponential(1.0, 120)
        interval = stats.difference_interval(
            hard * rng.uniform(0.5, 1.5, 120), hard * rng.uniform(0.5, 1.5, 120), rng=rng, resamples=400
        )
        worse += interval.low > 0
        better += interval.high < 0
    # 2.5 % on each side: 15 of 600, within 4 standard deviations
    assert worse <= 31
    assert better <= 31
    assert worse + better >= 9


def test_equal_losses_give_an_interval_of_no_width():
    losses = np.random.default_rng(0).exponential(size=100)
    interval = stats.difference_interval(losses, losses.copy(), rng=np.random.default_rng(1))
    assert (interval.estimate, interval.low, interval.high, interval.error) == (0.0, 0.0, 0.0, 0.0)


def test_nan_losses_give_nan_ends_that_no_comparison_can_pass():
    losses = np.array([0.1, math.nan, 0.3])
    interval = stats.difference_interval(losses, np.zeros(3), rng=np.random.default_rng(1))
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert not interval.high <= 1e9


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_rows_are_refused(n):
    with pytest.raises(NotEnoughData, match="at least 2 rows"):
        stats.mean_interval(np.zeros(n), rng=np.random.default_rng(0))


def test_thousand_resamples_of_fifty_thousand_rows_take_under_a_second():
    values = np.random.default_rng(0).exponential(size=(2, 50_000))
    started = time.process_time()
    stats.difference_interval(values[0], values[1], rng=np.random.default_rng(1))
    assert time.process_time() - started < 1.0


def test_a_million_rows_are_resampled_in_blocks_with_the_same_standard_error():
    values = np.random.default_rng(0).normal(size=1_000_000)
    interval = stats.mean_interval(values, rng=np.random.default_rng(1), resamples=200)
    assert interval.error == pytest.approx(0.001, rel=0.2)


def test_the_same_generator_gives_the_same_interval():
    values = np.random.default_rng(0).exponential(size=300)
    first, second = (stats.mean_interval(values, rng=np.random.default_rng(4)) for _ in range(2))
    assert first == second


def test_statistic_that_seldom_exists_is_refused():
    y = np.array([1] + [0] * 30)
    with pytest.raises(NotEnoughData, match="resamples"):
        stats.statistic_interval(
            lambda rows: float(y[rows].mean()) if y[rows].any() else math.nan, 31, rng=np.random.default_rng(0)
        )


def test_calibration_error_of_a_shifted_model_is_covered_and_its_low_end_seldom_above():
    rng = np.random.default_rng(11)
    above = below = 0
    for _ in range(SIMULATIONS):
        p = rng.uniform(0.1, 0.6, 800)
        interval = stats.calibration_interval(rng.uniform(size=800) < p + 0.2, p, rng=rng, resamples=300)
        above += interval.low > 0.2
        below += interval.high < 0.2
    assert above <= 22  # 2.5 % of 400 is 10; the end that the gate goes by
    assert below <= 36  # the folded noise makes the high end a little too low: 4 %


def test_calibrated_probabilities_reach_down_to_zero_even_on_few_rows():
    rng = np.random.default_rng(8)
    reached = 0
    for _ in range(200):
        p = rng.uniform(0, 1, 100)
        interval = stats.calibration_interval(rng.uniform(size=100) < p, p, rng=rng, resamples=200)
        reached += interval.low == 0.0
    assert reached >= 190


def test_equal_probabilities_stay_in_one_bin_whatever_the_order_of_rows():
    outcomes = np.array([0] * 50 + [1] * 50)
    interval = stats.calibration_interval(outcomes, np.full(100, 0.5), rng=np.random.default_rng(0))
    assert interval.estimate == 0.0
    assert len(stats.calibration_bins(outcomes, np.full(100, 0.5))) == 1


def test_calibration_bins_hold_every_row_once_and_about_as_many_each():
    rng = np.random.default_rng(0)
    p = rng.beta(0.5, 5, 1500)
    bins = stats.calibration_bins(rng.uniform(size=1500) < p, p, bins=15)
    assert len(bins) == 15
    assert sum(b.rows for b in bins) == 1500
    assert {b.rows for b in bins} <= {99, 100, 101}


@given(trials=st.integers(1, 500), data=st.data())
@settings(max_examples=60, deadline=None)
def test_wilson_agrees_with_scipy(trials, data):
    from scipy.stats import binomtest

    successes = data.draw(st.integers(0, trials))
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    found = stats.wilson(successes, trials)
    assert found.low == pytest.approx(expected.low, abs=1e-9)
    assert found.high == pytest.approx(expected.high, abs=1e-9)


def test_wilson_of_no_trials_says_nothing_and_impossible_counts_are_refused():
    assert (stats.wilson(0, 0).low, stats.wilson(0, 0).high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="5 successes in 3"):
        stats.wilson(5, 3)


def test_interval_at_a_stricter_level_is_wider_and_minus_moves_it():
    interval = stats.mean_interval(np.random.default_rng(0).normal(size=400), rng=np.random.default_rng(1))
    strict = interval.at(0.999)
    assert strict.low < interval.low < interval.high < strict.high
    moved = interval.minus(2.0)
    assert moved.low == pytest.approx(interval.low - 2)
    assert moved.estimate == pytest.approx(interval.estimate - 2)
