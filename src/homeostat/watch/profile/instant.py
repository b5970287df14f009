"""A column of dates and times as a profile: how far it reaches, when in the week its values fall, and how far apart they are."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import polars as pl

from homeostat.core.columns import Kind
from homeostat.data.cast import cast
from homeostat.watch.profile.numeric import NumberSketch, merged_numbers, number_sketch
from homeostat.watch.sample import Categories

HOURS = 168
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Gaps from a millisecond to a year, in seconds: fixed, so that any two profiles can be put together.
_GAPS = (
    1e-3,
    1e-2,
    0.1,
    0.5,
    1.0,
    5.0,
    15.0,
    60.0,
    300.0,
    900.0,
    1800.0,
    3600.0,
    7200.0,
    21600.0,
    43200.0,
    86400.0,
    172800.0,
    604800.0,
    2592000.0,
)
_YEARS = tuple(31_557_600.0 * year for year in range(-20, 130, 8))


class TimeSketch(msgspec.Struct, frozen=True, kw_only=True, tag="time"):
    """`seconds` since 1970 (UTC), and the `gaps` between neighbours in each part, in seconds: the one gap between two parts is not known.

    `hours`: how many values fall in each hour of the week, Monday 0:00 first, of length 168.
    """

    kind: Kind
    rows: int
    nulls: int
    spoilt: int
    seconds: NumberSketch
    gaps: NumberSketch
    hours: list[int]

    @property
    def first(self) -> datetime | None:
        return _moment(self.seconds.least)

    @property
    def last(self) -> datetime | None:
        return _moment(self.seconds.greatest)

    def lag(self, now: datetime) -> float | None:
        """Return how many seconds before `now` the median value lies; None without values."""
        found = self.seconds.quantiles(np.array([0.5]))
        return (now - _EPOCH).total_seconds() - float(found[0]) if len(found) else None

    def to_categories(self) -> Categories:
        """Return the hours of the week as categories, which can be compared where both windows last some weeks."""
        return Categories(counts={f"{hour:03}": count for hour, count in enumerate(self.hours) if count})


def time_sketch(column: pl.Series, kind: Kind) -> TimeSketch:
    """Return the profile of a column of dates, or of texts in one format of dates; without a zone they are UTC."""
    moments = cast(column, Kind.DATETIME).values
    present = moments.drop_nulls()
    micros = np.sort(present.dt.epoch("us").to_numpy())
    # 1970 began on a Thursday, 72 hours into the week
    hours = np.bincount((micros // 3_600_000_000 + 72) % HOURS, minlength=HOURS)
    return TimeSketch(
        kind=kind,
        rows=len(column),
        nulls=column.null_count(),
        spoilt=moments.null_count() - column.null_count(),
        seconds=number_sketch(pl.Series(micros / 1e6), Kind.FLOAT, like=_fixed(_YEARS)),
        gaps=number_sketch(pl.Series(np.diff(micros) / 1e6), Kind.FLOAT, like=_fixed(_GAPS)),
        hours=hours.tolist(),
    )


def merged_times(a: TimeSketch, b: TimeSketch) -> TimeSketch:
    """Return the profile of both."""
    return TimeSketch(
        kind=a.kind,
        rows=a.rows + b.rows,
        nulls=a.nulls + b.nulls,
        spoilt=a.spoilt + b.spoilt,
        seconds=merged_numbers(a.seconds, b.seconds),
        gaps=merged_numbers(a.gaps, b.gaps),
        hours=[x + y for x, y in zip(a.hours, b.hours, strict=True)],
    )


def _fixed(edges: tuple[float, ...]) -> NumberSketch:
    return NumberSketch(kind=Kind.FLOAT, edges=list(edges))


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else _EPOCH + timedelta(seconds=seconds)
