from tests.watch.detectors.streams import (
    alarms,
    check_falls_and_constants_are_quiet,
    check_kept_in_the_middle,
    delays,
    errors,
    false_alarms,
)


def test_a_rise_is_found_and_calm_is_mostly_calm():
    found = delays("ewma")
    assert sum(delay is not None and delay < 300 for delay in found) >= 9
    assert false_alarms("ewma") <= 4


def test_nothing_is_said_while_the_level_is_learned():
    assert not alarms("ewma", [*errors(0.0, 100, seed=1), *errors(1.0, 190, seed=2)])


def test_kept_in_the_middle_it_goes_on():
    check_kept_in_the_middle("ewma", [*errors(0.1, 350, seed=5), *errors(0.7, 100, seed=6)])


def test_falls_and_constants_are_quiet():
    check_falls_and_constants_are_quiet("ewma")
