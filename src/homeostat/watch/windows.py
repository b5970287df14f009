"""Windows over time: half-open, without gap or overlap, and never judged before they are over. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from homeostat.core.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """From `start` (inside) to `end` (outside), both timezone-aware."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a window's ends carry a time zone")
        if self.start >= self.end:
            raise ValueError(f"a window ends after it starts, got {self.start} to {self.end}")

    def __contains__(self, time: datetime) -> bool:
        return self.start <= time < self.end


def windows(times: Iterable[datetime], *, length: timedelta, origin: datetime = EPOCH) -> list[Window]:
    """Return the windows of the grid `origin` + k `length` that hold at least one of the times, in order.

    The grid does not depend on the times, so that rows that arrive late or out of order never move a window.
    """
    if length <= timedelta(0):
        raise InvalidInput(f"a window has a positive length, got {length}", hint="write it as 7d, 12h or 15min")
    numbers = {(_aware(time) - origin) // length for time in times}
    return [Window(origin + k * length, origin + (k + 1) * length) for k in sorted(numbers)]


def windows_of(times: pl.Series, *, length: timedelta, origin: datetime = EPOCH) -> list[Window]:
    """Return `windows` of a series of times in microseconds, of which there may be many.

    >>> windows_of(pl.Series([datetime(2024, 1, 1, 8, tzinfo=UTC)]), length=timedelta(days=1))[0].start.isoformat()
    '2024-01-01T00:00:00+00:00'
    """
    if times.is_empty() or length <= timedelta(0):
        return windows([], length=length)
    numbers = (times.dt.epoch("us") - (origin - EPOCH) // _MICROSECOND) // (length // _MICROSECOND)
    starts = [origin + number * length for number in numbers.unique().to_list()]
    return windows(starts, length=length, origin=origin)


def windows_by_count(times: Sequence[datetime], *, rows: int, start: datetime | None = None) -> list[Window]:
    """Return the complete windows of `rows` rows each, in order of time, from `start` on; a last one that is not full is left out.

    Each ends where the next one begins, so a window counts as full only when a later row was seen. Rows of one instant are never
    cut apart: a window takes them all, and then has more than `rows`.
    """
    if rows < 1:
        raise InvalidInput(f"a window has at least one row, got {rows}", hint="set watch.window_rows to 10 or more")
    ordered = sorted(_aware(time) for time in times if start is None or time >= start)
    found: list[Window] = []
    first = 0
    while first + rows < len(ordered):
        last = first + rows
        while last < len(ordered) and ordered[last] == ordered[last - 1]:
            last += 1
        if last == len(ordered):
            break
        begin = start if first == 0 and start is not None else ordered[first]
        found.append(Window(begin, ordered[last]))
        first = last
    return found


def complete(found: Iterable[Window], *, watermark: datetime) -> list[Window]:
    """Return the windows that are over: no row before the watermark can still come, or it will count as late."""
    return [window for window in found if window.end <= watermark]


def _aware(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise InvalidInput(f"{time} has no time zone", hint="times are stored in UTC; give them an offset")
    return time
