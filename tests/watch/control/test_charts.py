import numpy as np
import pytest

from homeostat.watch.control.ewma import ewma
from homeostat.watch.control.individuals import individuals, robust_scale

# D. C. Montgomery, "Introduction to Statistical Quality Control", the EWMA example (lambda 0.1, L 2.7, target 10, sigma 1).
MONTGOMERY = [9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34, 9.03, 11.47, 10.51, 9.40, 10.08]
EWMA_OF_MONTGOMERY = [9.945, 9.7495, 9.70355, 9.8992, 10.1253, 10.1307, 9.92167, 10.0755, 9.98796, 10.0232]


def test_ewma_is_the_textbooks():
    points = ewma(MONTGOMERY, center=10.0, scale=1.0, weight=0.1, width=2.7)
    assert [p.value for p in points[:10]] == pytest.approx(EWMA_OF_MONTGOMERY, abs=5e-4)
    assert (points[0].lower, points[0].upper) == pytest.approx((9.73, 10.27))
    assert points[-1].upper == pytest.approx(10.62, abs=0.02)
    assert not any(p.signal for p in points)


def test_ewma_sees_a_small_lasting_shift_that_no_single_value_shows():
    points = ewma([1.2] * 12, center=0.0, scale=1.0)
    assert not points[0].signal
    assert points[-1].signal


def test_individuals_limits_are_three_robust_standard_deviations():
    point = individuals([9.0, 10.0, 11.0], 15.0)
    assert (point.lower, point.upper) == pytest.approx((10 - 3 * 1.4826, 10 + 3 * 1.4826))
    assert point.signal


def test_one_wild_value_in_the_history_does_not_hide_the_next():
    assert individuals([1.0, 1.1, 0.9, 1.0, 1.05, 500.0], 3.0).signal


def test_robust_scale_is_the_standard_deviation_of_normal_data():
    values = np.random.default_rng(0).normal(5, 2, 20_000).tolist()
    assert robust_scale(values) == pytest.approx((5, 2), rel=0.03)


def test_false_alarms_of_the_individuals_chart():
    rng = np.random.default_rng(1)
    signals = sum(individuals(rng.normal(size=200).tolist(), float(rng.normal())).signal for _ in range(2_000))
    assert signals <= 20  # 2.7 in 1,000 with known limits, a little more with estimated ones


def test_a_constant_history_signals_any_change_and_nothing_else():
    assert not individuals([2.0] * 9, 2.0).signal
    assert individuals([2.0] * 9, 2.1).signal


def test_no_history_has_no_scale():
    with pytest.raises(ValueError, match="no values"):
        individuals([], 1.0)
