"""Seasonal limits: a value is held against those of the same hour of the week, over the last weeks. Pure."""

from collections.abc import Sequence
from datetime import datetime

from homeostat.watch.control.individuals import individuals
from homeostat.watch.control.point import Point

LEAST_WEEKS = 4


def hour_of_week(moment: datetime) -> int:
    """Return the hour since Monday 0:00, in [0, 168).

    >>> hour_of_week(datetime(2024, 1, 1, 5))
    5
    """
    return moment.weekday() * 24 + moment.hour


def seasonal(
    history: Sequence[tuple[datetime, float]], moment: datetime, value: float, *, weeks: int = 8, width: float = 3.0
) -> Point | None:
    """Return the value beside limits from the same hour of the last `weeks` weeks; None where fewer than 4 of them are known.

    More `weeks` make steadier limits that follow a slow change later; a larger `width` alarms less.
    """
    slot = hour_of_week(moment)
    same = [known for at, known in history if at < moment and hour_of_week(at) == slot][-weeks:]
    return None if len(same) < LEAST_WEEKS else individuals(same, value, width=width)
