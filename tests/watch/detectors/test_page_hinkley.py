from river.drift import PageHinkley
from tests.watch.detectors.streams import (
    check_alarms_are_those_of_river,
    check_falls_and_constants_are_quiet,
    check_kept_in_the_middle,
    delays,
    errors,
    false_alarms,
    losses,
)


def test_alarms_are_those_of_river():
    values = [*losses(0.5, 1000, seed=1), *losses(1.5, 1000, seed=2), *losses(4.0, 1000, seed=3)]
    check_alarms_are_those_of_river("page_hinkley", PageHinkley(mode="up"), values)


def test_a_rise_is_found_and_calm_is_calm():
    assert all(delay is not None and delay < 400 for delay in delays("page_hinkley"))
    assert false_alarms("page_hinkley") <= 1


def test_kept_in_the_middle_it_goes_on():
    check_kept_in_the_middle("page_hinkley", [*errors(0.1, 200, seed=5), *errors(0.9, 200, seed=6)])


def test_falls_and_constants_are_quiet():
    check_falls_and_constants_are_quiet("page_hinkley")
