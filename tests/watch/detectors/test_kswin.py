from river.drift import KSWIN
from tests.watch.detectors.streams import (
    alarms,
    alarms_of_river,
    check_falls_and_constants_are_quiet,
    check_kept_in_the_middle,
    delays,
    losses,
)


def test_both_find_a_change_of_losses_at_the_same_place_though_river_draws_by_chance():
    values = [*losses(1.0, 500, seed=1), *losses(6.0, 200, seed=2)]
    theirs = alarms_of_river(KSWIN(alpha=0.0001, window_size=400, stat_size=120, seed=0), values)
    ours = alarms("kswin", values)
    assert ours
    assert theirs
    assert abs(ours[0] - theirs[0]) <= 15


def test_a_rise_of_losses_is_found_and_calm_is_calm():
    assert all(delay is not None and delay < 80 for delay in delays("kswin", losses, 1.0, 5.0))
    assert sum(len(alarms("kswin", losses(1.0, 1000, seed=seed))) for seed in range(5)) <= 2


def test_kept_in_the_middle_it_goes_on():
    check_kept_in_the_middle("kswin", [*losses(1.0, 120, seed=5), *losses(9.0, 60, seed=6)])


def test_falls_and_constants_are_quiet():
    check_falls_and_constants_are_quiet("kswin")
