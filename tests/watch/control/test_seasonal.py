from datetime import UTC, datetime, timedelta

from homeostat.watch.control.seasonal import seasonal

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def week(number: int):
    return [(MONDAY + timedelta(weeks=number, hours=h), 100.0 * (h % 24 in (8, 18)) + number % 3) for h in range(168)]


def test_the_rush_hour_is_ordinary_at_its_hour_only():
    history = [value for number in range(8) for value in week(number)]
    eight = MONDAY + timedelta(weeks=8, hours=8)
    nine = MONDAY + timedelta(weeks=8, hours=9)
    assert not seasonal(history, eight, 101.0).signal
    assert seasonal(history, nine, 101.0).signal


def test_fewer_than_four_weeks_say_nothing():
    history = [value for number in range(3) for value in week(number)]
    assert seasonal(history, MONDAY + timedelta(weeks=3), 1.0) is None


def test_later_values_are_not_looked_at():
    history = [value for number in range(8) for value in week(number)]
    assert seasonal(history, MONDAY + timedelta(weeks=3), 1.0) is None
