from river.drift.binary import HDDMW
from tests.watch.detectors.streams import (
    check_alarms_are_those_of_river,
    check_falls_and_constants_are_quiet,
    check_kept_in_the_middle,
    delays,
    errors,
    false_alarms,
)


def test_alarms_are_those_of_river():
    values = [*errors(0.1, 1000, seed=1), *errors(0.4, 1000, seed=2), *errors(0.8, 1000, seed=3)]
    check_alarms_are_those_of_river("hddm_w", HDDMW(), values)


def test_a_rise_is_found_and_calm_is_mostly_calm():
    assert all(delay is not None and delay < 400 for delay in delays("hddm_w"))
    assert false_alarms("hddm_w") <= 4


def test_kept_in_the_middle_it_goes_on():
    check_kept_in_the_middle("hddm_w", [*errors(0.1, 200, seed=5), *errors(0.6, 200, seed=6)])


def test_falls_and_constants_are_quiet():
    check_falls_and_constants_are_quiet("hddm_w")
