from datetime import UTC, datetime, timedelta

from tests.watch.record_world import DAY, T0

from homeostat.audit.log import verify
from homeostat.watch.settings import WatchSettings
from homeostat.watch.stored import verdict_of


def test_a_window_is_judged_when_it_is_over_and_only_once(world):
    world.label(world.day(0), T0 + DAY / 2)
    assert world.look(T0 + 0.9 * DAY) == []
    (found,) = world.look(T0 + DAY)
    assert (found.window_start, found.window_end, found.revision) == (T0, T0 + DAY, 0)
    assert (found.state, found.body["version"], found.body["rows"]) == ("ok", 1, 300)
    assert world.look(T0 + DAY) == []
    assert world.events() == ["window.judged"]
    verify(world.store)


def test_late_labels_restate_a_window_and_keep_what_was_said(world):
    answered = world.day(0)
    (early,) = world.look(T0 + DAY)
    assert (early.state, early.revision) == ("unknown", 0)
    world.label(answered[:20], T0 + 2 * DAY)
    assert world.look(T0 + 2 * DAY) == []  # 7 % is not worth a new judgement
    world.label(answered[20:], T0 + 3 * DAY, flip=0.35)
    (late,) = world.look(T0 + 3 * DAY)
    assert (late.state, late.revision) == ("alarm", 1)
    assert world.verdicts() == [late]
    assert world.events() == ["window.judged", "window.judged", "performance.decayed"]
    assert world.look(T0 + 4 * DAY) == []


def test_corrected_labels_restate_and_an_alarm_is_told_once(world):
    answered = world.day(0)
    world.label(answered, T0 + DAY / 2, flip=0.35)
    world.look(T0 + DAY)
    world.label(answered[:100], T0 + 2 * DAY, flip=0.5)
    (again,) = world.look(T0 + 2 * DAY)
    assert (again.revision, verdict_of(again).decayed) == (1, True)
    assert world.events().count("performance.decayed") == 1


def test_rows_that_come_late_restate_their_window(world):
    world.label(world.day(0), T0 + DAY / 2)
    world.look(T0 + DAY)
    late = world.day(0, n=100, received=T0 + 1.5 * DAY, event_time=T0 + DAY / 3)
    world.label(late, T0 + 1.6 * DAY)
    (again,) = world.look(T0 + 1.7 * DAY)
    assert (again.revision, again.body["rows"]) == (1, 400)


def test_drift_is_told_and_alarms_only_after_labels_failed_to_come(world):
    states = []
    for number in range(5):
        world.day(number, shift=1.0)
        states += [one.state for one in world.look(T0 + (number + 1) * DAY)]
    assert states == ["warn", "warn", "warn", "alarm", "alarm"]
    assert world.events().count("drift.detected") == 5


def test_labels_may_be_waited_for_longer(world):
    for number in range(5):
        world.day(number, shift=1.0)
        found = world.look(T0 + (number + 1) * DAY, label_delay=30 * DAY)
        assert [one.state for one in found] == ["warn"]


def test_windows_of_rows_go_on_where_the_last_one_ended(world):
    settings = WatchSettings(window_rows=250)
    world.label(world.day(0), T0 + DAY / 2)
    (first,) = world.look(T0 + DAY, settings=settings)
    world.label(world.day(1), T0 + 1.5 * DAY)
    (second,) = world.look(T0 + 2 * DAY, settings=settings)
    assert (first.window_start, first.body["rows"]) == (T0, 250)
    assert (second.window_start, second.body["rows"]) == (first.window_end, 250)
    assert world.look(T0 + 3 * DAY, settings=settings) == []


TODAY = datetime(2026, 5, 1, tzinfo=UTC)


def replayed(world, number: int, received: datetime) -> list[dict]:
    """Record a day of the past, received today."""
    times = [T0 + number * DAY + i * DAY / 300 for i in range(300)]
    return [row for i, time in enumerate(times) for row in world.day(0, n=1, received=received, event_time=time)]


def test_a_replay_of_the_past_is_watched_in_its_own_time(world):
    world.label(replayed(world, 0, TODAY), TODAY)
    assert world.look(TODAY) == []  # the day's last row may be still to come
    replayed(world, 1, TODAY + timedelta(minutes=1))
    (found,) = world.look(TODAY + timedelta(minutes=2))
    assert (found.window_start, found.body["rows"], found.body["labelled"]) == (T0, 300, 300)


def test_a_look_in_the_rows_own_time_knows_what_the_record_holds(world):
    world.label(replayed(world, 0, TODAY), TODAY)
    (found,) = world.look(T0 + DAY)
    assert (found.body["labelled"], found.computed) == (300, T0 + DAY)
    assert world.look(T0 + DAY) == []


def test_what_is_older_than_the_look_back_is_left_as_it_is(world):
    world.day(0)
    world.day(40)
    found = world.look(T0 + 41 * DAY, look_back=timedelta(days=30))
    assert [one.window_start for one in found] == [T0 + 40 * DAY]


def test_a_window_cut_by_the_look_back_is_not_judged_by_half(world):
    world.day(0)
    assert world.look(T0 + 30.5 * DAY, look_back=timedelta(days=30)) == []
