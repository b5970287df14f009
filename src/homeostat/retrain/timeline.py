"""A history cut into steps: what happened when, and from when on each label was known."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.errors import InvalidInput, NotEnoughData, near
from homeostat.data.settings import DataSettings

KNOWN_AT = "__known_at"
ORDER = "__time"  # the time column of data that have none

LEAST_HISTORY = 500
LEAST_STEPS = 2
MOST_STEPS = 100_000
_DEFAULT_STEPS = 40
_BEGIN = datetime(2000, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)

Times = npt.NDArray[np.datetime64]
Span = timedelta | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Rows `first` (inside) to `last` (outside), which happened from `start` (inside) to `end` (outside)."""

    index: int
    start: datetime
    end: datetime
    first: int
    last: int

    @property
    def rows(self) -> int:
        return self.last - self.first


@dataclass(frozen=True, kw_only=True, eq=False)
class Timeline:
    """Rows in order of time. `known_at` of shape (n_rows,), UTC: when the row's label became known; it never decreases.

    `frame` holds `known_at` as a column too, so that whoever fits a model can be asked what it learned from. `time` names the column
    that orders the rows; where the data have none it is the step's share of simulated time.
    """

    frame: pl.DataFrame
    known_at: Times
    begin: datetime
    steps: tuple[Step, ...]
    time: str

    def known(self, now: datetime) -> pl.DataFrame:
        """Return the rows whose label was known before that moment (a row at the very moment belongs to what comes)."""
        return self.frame.head(int(np.searchsorted(self.known_at, _numpy(now), side="left")))

    def newly_known(self, after: datetime, now: datetime) -> int:
        """Return how many labels became known from `after` on and before `now`."""
        first, last = np.searchsorted(self.known_at, [_numpy(after), _numpy(now)], side="left")
        return int(last - first)

    def with_frame(self, frame: pl.DataFrame) -> "Timeline":
        """Return the same timeline with the rows in other types."""
        return replace(self, frame=frame)

    def rows(self, step: Step) -> pl.DataFrame:
        return self.frame.slice(step.first, step.rows)

    def known_in(self, step: Step, now: datetime) -> npt.NDArray[np.bool_]:
        """Return which rows of a step had a known label before that moment."""
        return np.asarray(self.known_at[step.first : step.last] < _numpy(now))


def timeline(
    frame: pl.DataFrame,
    *,
    data: DataSettings,
    history: Span | None = None,
    step: Span | None = None,
    step_time: timedelta = timedelta(days=1),
) -> Timeline:
    """Return the rows in order, the first part as history and the rest cut into steps.

    `history` and `step` are lengths in time or numbers of rows. Without a time column rows are taken in their order, and a step counts as
    `step_time`, so that cool-downs and schedules have a meaning. History by default: a sixth, and at least 500 rows. Rows without a
    time are left out. Raises InvalidInput and NotEnoughData where nothing is left to replay.
    """
    if data.target not in frame.columns:
        raise InvalidInput(f"there is no target column '{data.target}'", hint=near(data.target, frame.columns))
    _check(history, "history", data)
    _check(step, "step", data)
    if data.time is not None:
        ordered, times = _by_time(frame, data.time)
    else:
        ordered = frame
        size = step if isinstance(step, int) else max(1, frame.height // _DEFAULT_STEPS)
        seconds = np.arange(frame.height, dtype=np.float64) * (step_time.total_seconds() / size)
        times = _numpy(_BEGIN) + (seconds * 1e6).astype("timedelta64[us]")
        step = size
    begins_at = _history_rows(times, history)
    if begins_at >= len(times):
        raise NotEnoughData(
            f"{len(times)} rows are all history, nothing is left to replay",
            hint=f"give more rows than {LEAST_HISTORY}, or a shorter history",
        )
    known_at = times + np.timedelta64(int(data.label_delay / _INSTANT), "us")
    begin, steps = _steps(times, begins_at, history, step)
    if len(steps) < LEAST_STEPS:
        raise NotEnoughData(
            f"the rows after the history make {len(steps)} step, {LEAST_STEPS} are the least",
            hint="take a shorter step, or a shorter history",
        )
    columns = [_column(KNOWN_AT, known_at)] + ([_column(ORDER, times)] if data.time is None else [])
    return Timeline(
        frame=ordered.with_columns(columns), known_at=known_at, begin=begin, steps=steps, time=data.time or ORDER
    )


def _column(name: str, times: Times) -> pl.Series:
    return pl.Series(name, times).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _check(span: Span | None, name: str, data: DataSettings) -> None:
    if span is None:
        return
    if isinstance(span, timedelta):
        if data.time is None:
            raise InvalidInput(f"{name} is a time ({span}), but the data have no time column", hint="give it in rows")
        is_positive = span > timedelta()
    else:
        is_positive = span > 0
    if not is_positive:
        raise InvalidInput(f"{name} is {span}, it must be positive", hint="write 7d, or a number of rows")


def _by_time(frame: pl.DataFrame, name: str) -> tuple[pl.DataFrame, Times]:
    if name not in frame.columns:
        raise InvalidInput(f"there is no time column '{name}'", hint=near(name, frame.columns))
    if not isinstance(frame[name].dtype, pl.Datetime | pl.Date):
        raise InvalidInput(f"time column '{name}' is {frame[name].dtype}, not a time", hint="conform the data first")
    ordered = frame.filter(pl.col(name).is_not_null()).sort(name, maintain_order=True)
    moments = ordered[name].cast(pl.Datetime("us", getattr(ordered[name].dtype, "time_zone", None)))
    if moments.dtype.time_zone is not None:  # type: ignore[attr-defined]
        moments = moments.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return ordered, moments.to_numpy().astype("datetime64[us]")


def _history_rows(times: Times, history: Span | None) -> int:
    if not len(times):
        raise NotEnoughData("there are no rows to replay", hint="look at data.source and data.time")
    if isinstance(history, timedelta):
        return int(np.searchsorted(times, times[0] + np.timedelta64(int(history / _INSTANT), "us")))
    if history is not None:
        return history
    sixth = int(np.searchsorted(times, times[0] + (times[-1] - times[0]) // 6))
    return max(sixth, LEAST_HISTORY)


def _steps(times: Times, begins_at: int, history: Span | None, step: Span | None) -> tuple[datetime, tuple[Step, ...]]:
    """Return when the replay begins and its steps: a grid in time, or equal numbers of rows (rows of one instant stay together)."""
    begin = times[begins_at]
    if isinstance(history, timedelta):
        begin = times[0] + np.timedelta64(int(history / _INSTANT), "us")
    if isinstance(step, int):
        return _moment(begin), _by_rows(times, begins_at, begin, step)
    length = (times[-1] - begin) / _DEFAULT_STEPS if step is None else np.timedelta64(int(step / _INSTANT), "us")
    if length <= np.timedelta64(0):
        raise NotEnoughData("all rows after the history have the same time", hint="give the step in rows")
    if (times[-1] - begin) / length > MOST_STEPS:
        raise InvalidInput(
            f"steps of {step} are more than {MOST_STEPS:,} steps of the history to replay", hint="take a longer step"
        )
    grid = np.arange(begin, times[-1] + length, length)
    if grid[-1] <= times[-1]:
        grid = np.append(grid, grid[-1] + length)
    cuts = np.maximum(np.searchsorted(times, grid), begins_at)  # rows of the first instant may be history
    found = [
        (grid[k], grid[k + 1], int(cuts[k]), int(cuts[k + 1])) for k in range(len(grid) - 1) if cuts[k + 1] > cuts[k]
    ]
    return _moment(begin), _numbered(found)


def _by_rows(times: Times, begins_at: int, begin: Any, size: int) -> tuple[Step, ...]:
    found = []
    first, start = begins_at, begin
    while first < len(times):
        last = min(first + size, len(times))
        while last < len(times) and times[last] == times[last - 1]:
            last += 1
        end = times[last] if last < len(times) else times[-1] + np.timedelta64(1, "us")
        found.append((start, end, first, last))
        first, start = last, end
    return _numbered(found)


def _numbered(found: list[tuple[Any, Any, int, int]]) -> tuple[Step, ...]:
    return tuple(
        Step(index=index, start=_moment(start), end=_moment(end), first=first, last=last)
        for index, (start, end, first, last) in enumerate(found)
    )


def _numpy(moment: datetime) -> Any:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def _moment(time: Any) -> datetime:
    found: datetime = time.astype("datetime64[us]").item()
    return found.replace(tzinfo=UTC)
