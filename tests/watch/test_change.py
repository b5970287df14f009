"""The change test stays quiet on rows in random order and speaks when features, target or loss move."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from homeostat.watch.change import strongest

BATCH, BEFORE, SINCE = 100, 500, 900


def made(seed, n=BEFORE + SINCE):
    rng = np.random.default_rng(seed)
    columns = {"x": rng.normal(size=n), "colour": rng.integers(0, 4, n)}
    return columns, rng.integers(0, 3, n), rng.exponential(size=SINCE)


def test_false_alarms_stay_below_the_level():
    level, looks = 0.05, 120
    alarms = 0
    for seed in range(looks):
        columns, target, losses = made(seed)
        alarms += strongest(columns, target, losses, batch=BATCH).p_value < level
    # Bonferroni is conservative: more than the level's upper binomial limit would be a fault
    assert alarms <= looks * level + 3 * np.sqrt(looks * level * (1 - level))


@pytest.mark.parametrize("rows", [100, 400])
def test_a_shift_of_a_column_is_found_with_its_name_and_span(rows):
    columns, target, losses = made(1)
    columns["x"][-rows:] += 1.5
    found = strongest(columns, target, losses, batch=BATCH)
    assert (found.what, found.rows) == ("x", rows)
    assert found.p_value < 1e-6


def test_a_shift_of_counts_of_the_target_and_of_the_loss_is_found():
    columns, target, losses = made(2)
    columns["colour"][-200:] = 0
    assert strongest(columns, target, losses, batch=BATCH).what == "colour"
    columns, target, losses = made(2)
    target[-200:] = 2
    assert strongest(columns, target, losses, batch=BATCH).what == "target"
    columns, target, losses = made(2)
    losses[-200:] += 2.0
    assert strongest(columns, target, losses, batch=BATCH).what == "loss"


def test_a_falling_loss_is_no_sign():
    columns, target, losses = made(3)
    losses[-200:] = 0.0
    assert strongest(columns, target, losses, batch=BATCH).p_value > 1e-4


def test_less_than_a_batch_constant_columns_and_nulls_are_no_sign():
    columns, target, losses = made(4)
    assert strongest(columns, target, losses[:50], batch=BATCH).p_value == 1.0
    same = {
        "constant": np.ones(BEFORE + SINCE),
        "kind": np.zeros(BEFORE + SINCE, dtype=int),
        "null": np.full(BEFORE + SINCE, np.nan),
    }
    found = strongest(same, np.zeros(BEFORE + SINCE, dtype=int), np.zeros(SINCE), batch=BATCH)
    assert found.p_value == 1.0


def test_rare_values_do_not_alarm():
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(100):
        ids = rng.integers(0, 100_000, BEFORE + SINCE)  # nearly every value once
        alarms += strongest({"id": ids}, np.zeros(len(ids), dtype=int), np.zeros(SINCE), batch=BATCH).p_value < 0.05
    assert alarms <= 12


@pytest.mark.parametrize("seed", range(5))
def test_the_distance_and_its_p_value_are_those_of_scipy(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=BEFORE + BATCH).round(int(rng.integers(0, 3)))  # with ties
    values[-BATCH:] += 0.2
    values[rng.integers(0, len(values), 20)] = np.nan
    target, losses = np.zeros(len(values), dtype=int), np.ones(BATCH)
    found = strongest({"x": values}, target, losses, batch=BATCH, spans=(1,))
    expected = ks_2samp(values[:-BATCH], values[-BATCH:], method="asymp", nan_policy="omit").pvalue
    assert found.p_value == pytest.approx(min(1.0, 3 * expected), rel=1e-9)
