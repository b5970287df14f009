"""The Wasserstein distance: how far values had to be carried, in standard deviations of the reference."""

import numpy as np

from homeostat.watch.method import Measured, Method
from homeostat.watch.sample import ColumnSample, Floats, Numbers
from homeostat.watch.significance import ks_distance, ks_p_value


def distance(reference: Floats, current: Floats) -> float:
    """Return the first Wasserstein distance of two samples of sorted values: the area between their distribution functions.

    Ramdas, Garcia Trillos and Cuturi (2017), "On Wasserstein two-sample testing and related families of nonparametric tests",
    Entropy 19(2): W1 is the integral of |F - G|. 0 where a side is empty.

    >>> distance(np.array([0.0, 1.0, 3.0]), np.array([5.0, 6.0, 8.0]))
    5.0
    """
    if not len(reference) or not len(current):
        return 0.0
    points = np.sort(np.concatenate([reference, current]), kind="stable")
    left = np.searchsorted(reference, points[:-1], side="right") / len(reference)
    right = np.searchsorted(current, points[:-1], side="right") / len(current)
    return float(np.sum(np.abs(left - right) * np.diff(points)))


def measure(reference: ColumnSample, current: ColumnSample) -> Measured:
    """Return the distance over the reference's standard deviation, with the significance of Kolmogorov-Smirnov.

    W1's own null distribution depends on the unknown one of the data, that of the Kolmogorov-Smirnov distance does not: it
    answers "did anything change", W1 "by how much". A shift of the mean by d standard deviations has effect d. A constant
    reference has no standard deviation; then that of the four extremes of both sides is the unit.
    """
    if not (isinstance(reference, Numbers) and isinstance(current, Numbers)):
        raise TypeError("wasserstein measures numbers")
    p_value = ks_p_value(ks_distance(reference.values, current.values), len(reference), len(current))
    unit = _largest(reference.values, current.values)  # differences of huge values would overflow
    ours, theirs = reference.values / unit, current.values / unit
    carried = distance(ours, theirs)
    if not carried:
        return Measured(effect=0.0, p_value=p_value)
    sd = reference.sd / unit or float(np.std([*_ends(ours), *_ends(theirs)]))
    return Measured(effect=min(carried / sd, 1e9) if sd else 1e9, p_value=p_value)


def _ends(values: Floats) -> tuple[float, float]:
    return float(values[0]), float(values[-1])


def _largest(reference: Floats, current: Floats) -> float:
    """Return the largest absolute value of either side, 1 where there is none but zero."""
    ends = [abs(end) for side in (reference, current) if len(side) for end in _ends(side)]
    return max(ends, default=1.0) or 1.0


METHOD = Method(name="wasserstein", kinds=frozenset({"number"}), warn=0.1, alarm=0.2, measure=measure)
