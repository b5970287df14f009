from river.drift.binary import EDDM
from tests.watch.detectors.streams import (
    alarms,
    check_alarms_are_those_of_river,
    check_falls_and_constants_are_quiet,
    check_kept_in_the_middle,
    delays,
    errors,
)


def test_alarms_are_those_of_river():
    values = [*errors(0.05, 1000, seed=1), *errors(0.3, 1000, seed=2), *errors(0.6, 1000, seed=3)]
    check_alarms_are_those_of_river("eddm", EDDM(), values)


def test_a_rise_is_found():
    assert all(delay is not None and delay < 400 for delay in delays("eddm"))


def test_kept_in_the_middle_it_goes_on():
    check_kept_in_the_middle("eddm", [*errors(0.1, 300, seed=5), *errors(0.6, 300, seed=6)])


def test_constants_are_quiet():
    assert not alarms("eddm", [0.0] * 1000)
    assert not alarms("eddm", [1.0] * 1000)


def test_falls_are_quiet():
    check_falls_and_constants_are_quiet("eddm")
