from river.drift import ADWIN
from tests.watch.detectors.streams import (
    alarms,
    alarms_of_river,
    check_falls_and_constants_are_quiet,
    check_kept_in_the_middle,
    delays,
    errors,
    false_alarms,
)


def test_a_rise_is_found_where_river_finds_it():
    values = [*errors(0.1, 2000, seed=1), *errors(0.5, 1000, seed=2)]
    theirs = alarms_of_river(ADWIN(delta=0.002), values)
    ours = alarms("adwin", values)
    assert ours
    assert theirs
    assert abs(ours[0] - theirs[0]) <= 32  # both look at every 32nd value


def test_a_rise_is_found_and_calm_is_calm():
    assert all(delay is not None and delay < 200 for delay in delays("adwin"))
    assert false_alarms("adwin") <= 1


def test_kept_in_the_middle_it_goes_on():
    check_kept_in_the_middle("adwin", [*errors(0.1, 200, seed=5), *errors(0.7, 200, seed=6)])


def test_falls_and_constants_are_quiet():
    check_falls_and_constants_are_quiet("adwin")
