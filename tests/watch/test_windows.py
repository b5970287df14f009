import itertools
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.errors import InvalidInput
from homeostat.watch.windows import EPOCH, Window, complete, windows, windows_by_count, windows_of

T0 = datetime(2013, 1, 1, tzinfo=UTC)
TIMES = st.lists(st.integers(-5_000, 5_000).map(lambda h: T0 + timedelta(hours=h)), max_size=60)
LENGTHS = st.integers(1, 500).map(lambda h: timedelta(hours=h))


@given(TIMES, LENGTHS)
def test_every_time_is_in_exactly_one_window(times, length):
    found = windows(times, length=length)
    assert all(sum(time in window for window in found) == 1 for time in times)
    assert all(window.end - window.start == length for window in found)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))


@given(TIMES, TIMES, LENGTHS)
def test_late_rows_move_no_window(times, late, length):
    assert set(windows(times, length=length)) <= set(windows(times + late, length=length))


@given(TIMES, st.integers(1, 12))
def test_windows_by_count_partition_the_rows_before_the_last_end(times, rows):
    found = windows_by_count(times, rows=rows)
    inside = [sum(time in window for time in times) for window in found]
    assert all(count >= rows for count in inside)
    assert all(a.end == b.start for a, b in itertools.pairwise(found))
    if found:
        assert sum(inside) == sum(time < found[-1].end for time in times)
    left = len(times) - sum(inside)
    assert left <= rows or len({time for time in times if not found or time >= found[-1].end}) <= rows


def test_rows_of_one_instant_are_not_cut_apart():
    times = [T0] * 5 + [T0 + timedelta(hours=1)] * 3 + [T0 + timedelta(hours=2)]
    found = windows_by_count(times, rows=2)
    assert [(w.start, w.end) for w in found] == [
        (T0, T0 + timedelta(hours=1)),
        (T0 + timedelta(hours=1), T0 + timedelta(hours=2)),
    ]


def test_windows_by_count_go_on_from_where_they_ended():
    times = [T0 + timedelta(minutes=m) for m in range(100)]
    whole = windows_by_count(times, rows=10)
    again = windows_by_count(times, rows=10, start=whole[3].end)
    assert again == whole[4:]


def test_a_full_count_is_not_complete_before_a_later_row_came():
    times = [T0 + timedelta(minutes=m) for m in range(10)]
    assert windows_by_count(times, rows=10) == []
    assert len(windows_by_count([*times, T0 + timedelta(hours=1)], rows=10)) == 1


def test_only_windows_that_are_over_are_complete():
    found = windows([T0, T0 + timedelta(days=1)], length=timedelta(days=1))
    assert complete(found, watermark=T0 + timedelta(days=1)) == found[:1]
    assert complete(found, watermark=T0 + timedelta(hours=23)) == []


def test_another_time_zone_is_the_same_instant():
    zone = timezone(timedelta(hours=5))
    assert windows([T0.astimezone(zone)], length=timedelta(days=1)) == [Window(T0, T0 + timedelta(days=1))]


def test_a_time_without_zone_is_refused():
    with pytest.raises(InvalidInput, match="no time zone"):
        windows([datetime(2013, 1, 1)], length=timedelta(days=1))  # noqa: DTZ001


@pytest.mark.parametrize("length", [timedelta(0), timedelta(days=-1)])
def test_a_window_without_length_is_refused(length):
    with pytest.raises(InvalidInput, match="positive length"):
        windows([T0], length=length)


def test_a_window_that_ends_before_it_starts_does_not_construct():
    with pytest.raises(ValueError, match="ends after"):
        Window(T0, T0)


def test_no_rows_no_windows():
    assert windows([], length=timedelta(days=1)) == windows_by_count([], rows=5) == []


def test_windows_of_no_rows_are_refused():
    with pytest.raises(InvalidInput, match="at least one row"):
        windows_by_count([T0], rows=0)


def test_windows_of_a_series_are_those_of_its_times():
    times = [EPOCH + timedelta(microseconds=n * 7_654_321_987) for n in range(-50, 50)]
    for length in (timedelta(hours=1), timedelta(days=1), timedelta(microseconds=3)):
        assert windows_of(pl.Series(times), length=length) == windows(times, length=length)
    assert windows_of(pl.Series([], dtype=pl.Datetime("us", "UTC")), length=timedelta(days=1)) == []
