from river.drift.binary import DDM
from tests.watch.detectors.streams import (
    check_alarms_are_those_of_river,
    check_falls_and_constants_are_quiet,
    check_kept_in_the_middle,
    delays,
    errors,
    false_alarms,
)


def test_alarms_are_those_of_river():
    values = [*errors(0.1, 1000, seed=1), *errors(0.4, 1000, seed=2), *errors(0.7, 1000, seed=3)]
    check_alarms_are_those_of_river("ddm", DDM(), values)


def test_a_rise_is_found_and_calm_is_mostly_calm():
    found = delays("ddm")
    assert all(delay is not None and delay < 600 for delay in found)
    assert false_alarms("ddm") <= 12  # 10 runs of 2,000: 3 standard deviations below the lowest level are no rare event


def test_kept_in_the_middle_it_goes_on():
    check_kept_in_the_middle("ddm", [*errors(0.1, 200, seed=5), *errors(0.6, 200, seed=6)])


def test_falls_and_constants_are_quiet():
    check_falls_and_constants_are_quiet("ddm")
