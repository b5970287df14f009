from datetime import UTC, datetime, timedelta

import numpy as np

from homeostat.watch.charts import read_charts, read_shares
from homeostat.watch.control.phase_one import freeze

CALM = np.random.default_rng(0).normal(0.0, 1.0, 40).tolist()
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def test_a_value_far_out_signals_and_an_ordinary_one_does_not():
    assert not read_charts(CALM, 0.3).signals
    assert "individuals chart" in read_charts(CALM, 6.0).signals[0]


def test_a_small_lasting_rise_is_seen_by_the_charts_that_remember():
    signals = read_charts([*CALM[:20], *[1.3] * 12], 1.3).signals
    assert any("moving average" in one for one in signals)
    assert any("CUSUM" in one for one in signals)
    assert any("rule 4" in one for one in signals)


def test_a_fall_is_no_signal_and_little_history_says_nothing():
    assert not read_charts(CALM, -9.0).signals
    assert not read_charts(CALM[:7], 100.0).signals


def test_patterns_that_happen_are_information():
    frozen = freeze(CALM[:20])
    high = frozen.center + 2.5 * frozen.scale
    found = read_charts([*CALM[:20], high, 0.0], high)
    assert any("rule 2" in one for one in found.information)


def test_what_is_ordinary_for_its_hour_is_no_signal():
    starts = [MONDAY + timedelta(hours=h) for h in range(6 * 168)]
    values = [CALM[at % 40] * 0.1 + (8.0 if at % 168 == 8 else 0.0) for at in range(len(starts))]
    rush, other = starts[-1] + timedelta(hours=9), starts[-1] + timedelta(hours=10)
    assert not any("individuals" in one for one in read_charts(values, 8.1, starts=starts, start=rush).signals)
    assert any("individuals" in one for one in read_charts(values, 8.1, starts=starts, start=other).signals)


def test_shares_signal_beyond_what_windows_scatter():
    history = [(bad, 1000) for bad in (10, 12, 9, 11, 10, 13, 8, 10)]
    assert read_shares(history, 11, 1000) is None
    assert "p' chart" in read_shares(history, 60, 1000)
    assert read_shares(history[:7], 60, 1000) is None
    assert read_shares(history, 0, 0) is None
