"""The chart of individual values: is the newest one out of the ordinary? Pure."""

from collections.abc import Sequence
from statistics import median

from homeostat.watch.control.point import Point

MAD_TO_SD = 1.4826


def robust_scale(values: Sequence[float]) -> tuple[float, float]:
    """Return the median and 1.4826 times the median absolute deviation, the standard deviation of normal data.

    >>> robust_scale([1.0, 2.0, 3.0, 4.0, 100.0])
    (3.0, 1.4826)
    """
    if not values:
        raise ValueError("no values, no scale")
    center = median(values)
    return center, MAD_TO_SD * median(abs(value - center) for value in values)


def individuals(history: Sequence[float], value: float, *, width: float = 3.0) -> Point:
    """Return `value` beside the limits median ± `width` robust standard deviations of the history.

    Shewhart's chart for individual values with robust estimates, so that a bad window in the history does not hide the next one.
    A larger `width` alarms less: 3 is 2.7 false alarms in 1,000 values for normal data and a long history. The spread of few values is uncertain:
    after 20 of them 3 % lie outside in the mean over histories, 0.5 % in the median one.
    """
    center, scale = robust_scale(history)
    return Point(value=value, lower=center - width * scale, upper=center + width * scale)
