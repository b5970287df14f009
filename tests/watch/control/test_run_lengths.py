"""How long a process in control runs until it alarms, and one that shifted, by simulation against the textbook."""

import numpy as np
import pytest

from homeostat.watch.control.cusum import cusum
from homeostat.watch.control.ewma import ewma
from homeostat.watch.control.rules import patterns

RUNS = 600


def run_lengths(chart, *, shift: float = 0.0, most: int = 4000, seed: int = 0) -> np.ndarray:
    """Return, for each run, the number of values up to the first signal. `chart(values)` gives a point for each value."""
    rng = np.random.default_rng(seed)
    return np.array([first_signal(chart, rng.normal(shift, 1.0, most)) for _ in range(RUNS)])


def first_signal(chart, values: np.ndarray) -> int:
    """Return the number of values up to the first signal; a point hangs on the values before it alone, so most of them need no chart."""
    for seen in (len(values) // 16, len(values) // 4, len(values)):
        if (found := next((at + 1 for at, point in enumerate(chart(values[:seen])) if point), None)) is not None:
            return found
    return len(values)


def signals(points):
    return [point.signal for point in points]


def interval(lengths: np.ndarray) -> float:
    return 3.0 * lengths.std(ddof=1) / np.sqrt(len(lengths))


def test_shewhart_runs_370_values_in_control_and_44_after_a_shift_of_one():
    calm = run_lengths(lambda values: np.abs(values) > 3.0)
    assert calm.mean() == pytest.approx(370.4, abs=interval(calm))
    moved = run_lengths(lambda values: np.abs(values) > 3.0, shift=1.0, most=1000)
    assert moved.mean() == pytest.approx(43.9, abs=interval(moved))


def test_cusum_runs_465_values_in_control_and_ten_after_a_shift_of_one():
    calm = run_lengths(lambda values: signals(cusum(values.tolist(), center=0.0, scale=1.0)), most=3000)
    assert calm.mean() == pytest.approx(465, abs=interval(calm))
    moved = run_lengths(lambda values: signals(cusum(values.tolist(), center=0.0, scale=1.0)), shift=1.0, most=100)
    assert moved.mean() == pytest.approx(10.4, abs=interval(moved) + 0.05)


def test_ewma_runs_about_560_values_in_control_and_ten_after_a_shift_of_one():
    # weight 0.2 and width 3: J. M. Lucas and M. S. Saccucci (1990), Technometrics 32(1), give 559.9 for the chart with steady limits
    calm = run_lengths(lambda values: signals(ewma(values.tolist(), center=0.0, scale=1.0)), most=3000)
    assert calm.mean() == pytest.approx(557, abs=interval(calm) + 15)
    moved = run_lengths(lambda values: signals(ewma(values.tolist(), center=0.0, scale=1.0)), shift=1.0, most=200)
    assert moved.mean() == pytest.approx(9.8, abs=1.0)


def test_rules_one_and_four_together_run_shorter_than_one_alone():
    def alarm(values):
        scores = values.tolist()
        return (any(p.is_alarm for p in patterns(scores[max(0, at - 7) : at + 1])) for at in range(len(scores)))

    calm = run_lengths(alarm, most=1200)
    # C. W. Champ and W. H. Woodall (1987), Technometrics 29(4): rules 1 and 4 have an average run length of 152.7
    assert calm.mean() == pytest.approx(152.7, abs=interval(calm))
