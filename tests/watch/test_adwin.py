"""ADWIN cuts soon after a rise, seldom without one, and keeps a window of the newer values."""

import numpy as np
import pytest

from homeostat.watch.adwin import Adwin


def test_a_rise_is_found_soon_and_the_old_part_dropped():
    rng = np.random.default_rng(0)
    adwin = Adwin()
    quiet = [adwin.add(float(v)) for v in rng.random(2000) < 0.2]
    assert not any(quiet)
    found = next(at for at, v in enumerate(rng.random(2000) < 0.5) if adwin.add(float(v)))
    assert found < 200
    for value in rng.random(2000) < 0.5:
        adwin.add(float(value))
    assert adwin.mean == pytest.approx(0.5, abs=0.05)
    assert adwin.count < 4200


def test_a_fall_cuts_but_is_no_alarm():
    rng = np.random.default_rng(1)
    adwin = Adwin()
    said = [adwin.add(float(v)) for v in [*(rng.random(2000) < 0.5), *(rng.random(2000) < 0.1)]]
    assert not any(said)
    assert adwin.count < 2500


def test_without_a_change_alarms_are_rare():
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(20):
        adwin = Adwin()
        alarms += sum(adwin.add(float(v)) for v in rng.random(3000) < 0.3)
    assert alarms <= 2


def test_constant_values_and_the_first_ones_are_quiet():
    adwin = Adwin()
    assert not any(adwin.add(3.0) for _ in range(1000))
    assert adwin.mean == pytest.approx(3.0)
