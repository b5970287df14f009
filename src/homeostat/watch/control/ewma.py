"""The chart of exponentially weighted moving averages: sees small lasting shifts that no single value shows. Pure."""

import math
from collections.abc import Sequence

from homeostat.watch.control.point import Point


def ewma(
    values: Sequence[float], *, center: float, scale: float, weight: float = 0.2, width: float = 3.0
) -> list[Point]:
    """Return the exponentially weighted moving average after each value, beside its exact limits.

    S. W. Roberts (1959), "Control chart tests based on geometric moving averages", Technometrics 1(3): z = w x + (1 - w) z,
    limits center ± width scale sqrt(w / (2 - w) (1 - (1 - w)^(2 i))). A smaller `weight` remembers longer and sees smaller
    shifts, later; a larger `width` alarms less.

    >>> [round(point.value, 2) for point in ewma([1.0, 1.0], center=0.0, scale=1.0)]
    [0.2, 0.36]
    """
    if not 0 < weight <= 1 or scale < 0:
        raise ValueError(f"0 < weight <= 1 and scale >= 0, got {weight} and {scale}")
    average, points = center, []
    for i, value in enumerate(values, start=1):
        average = weight * value + (1 - weight) * average
        half = width * scale * math.sqrt(weight / (2 - weight) * (1 - (1 - weight) ** (2 * i)))
        points.append(Point(value=average, lower=center - half, upper=center + half))
    return points
