from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from homeostat.core.columns import Kind
from homeostat.watch.profile.instant import merged_times, time_sketch

START = datetime(2026, 3, 2, 5, 30, tzinfo=UTC)  # a Monday


def every(hours, count, start=START):
    return pl.Series([start + timedelta(hours=hours * i) for i in range(count)])


def test_hours_of_the_week_begin_on_monday():
    found = time_sketch(every(24, 7), Kind.DATETIME)
    assert [hour for hour, count in enumerate(found.hours) if count] == [5 + 24 * day for day in range(7)]


def test_gaps_and_lag():
    found = time_sketch(every(1, 101), Kind.DATETIME)
    assert (found.gaps.least, found.gaps.greatest) == (3600.0, 3600.0)
    assert found.lag(START + timedelta(hours=100)) == pytest.approx(50 * 3600, abs=3 * 3600)
    assert (found.first, found.last) == (START, START + timedelta(hours=100))


def test_parts_add_up():
    both = merged_times(
        time_sketch(every(1, 50), Kind.DATETIME), time_sketch(every(1, 50, START + timedelta(hours=50)), Kind.DATETIME)
    )
    whole = time_sketch(every(1, 100), Kind.DATETIME)
    assert (both.hours, both.first, both.last) == (whole.hours, whole.first, whole.last)
    assert both.gaps.moments.count == whole.gaps.moments.count - 1


def test_texts_are_read_and_what_is_no_date_is_counted():
    found = time_sketch(pl.Series(["2026-03-02", "2026-03-03", "soon", None]), Kind.DATETIME)
    assert (found.rows, found.nulls, found.spoilt) == (4, 1, 1)


def test_no_values():
    found = time_sketch(pl.Series([None, None], dtype=pl.Datetime), Kind.DATETIME)
    assert (found.nulls, found.first, found.lag(START), sum(found.hours)) == (2, None, None, 0)
