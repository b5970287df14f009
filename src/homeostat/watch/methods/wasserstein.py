"""The Wasserstein distance: how far values had to be carried, in standard deviations of the reference."""

import numpy as np

from homeostat.watch.method import Measured, Method
from homeostat.watch.sample import ColumnSample, Floats, Numbers
from homeostat.watch.significance import ks_distance, ks_p_value

_BLOCK = 65_536  # values at a time, so that what is computed on the way stays in the processor's cache


def distance(reference: Floats, current: Floats) -> float:
    """Return the first Wasserstein distance of two samples of sorted values: the area between their distribution functions.

    Ramdas, Garcia Trillos and Cuturi (2017), "On Wasserstein two-sample testing and related families of nonparametric tests",
    Entropy 19(2): W1 is the integral of |F - G|. 0 where a side is empty.

    >>> distance(np.array([0.0, 1.0, 3.0]), np.array([5.0, 6.0, 8.0]))
    5.0
    """
    n, m = len(reference), len(current)
    if not n or not m:
        return 0.0
    if n < m:
        return distance(current, reference)
    # W1 is the integral of the difference of the quantile functions too. The longer side's i-th value fills the ranks from i / n to
    # (i + 1) / n, where the shorter side has one value or two: no search is needed, only whole-number arithmetic.
    total = 0.0
    for start in range(0, n, _BLOCK):
        values = reference[start : start + _BLOCK]
        if n == m:
            total += m * float(np.sum(np.abs(values - current[start : start + _BLOCK])))
            continue
        first = np.arange(start, start + len(values)) * m
        near = first // n
        far = np.minimum((first + m - 1) // n, m - 1)
        near_share = np.minimum((near + 1) * n - first, m)
        total += float(np.sum(near_share * np.abs(values - current[near])))
        total += float(np.sum((m - near_share) * np.abs(values - current[far])))
    return total / n / m


def measure(reference: ColumnSample, current: ColumnSample) -> Measured:
    """Return the distance over the reference's standard deviation, with the significance of Kolmogorov-Smirnov.

    W1's own null distribution depends on the unknown one of the data, that of the Kolmogorov-Smirnov distance does not: it
    answers "did anything change", W1 "by how much". A shift of the mean by d standard deviations has effect d. A constant
    reference has no standard deviation; then that of the four extremes of both sides is the unit.
    """
    if not (isinstance(reference, Numbers) and isinstance(current, Numbers)):
        raise TypeError("wasserstein measures numbers")
    p_value = ks_p_value(ks_distance(reference.values, current.values), len(reference), len(current))
    ours, theirs, unit = reference.values, current.values, 1.0
    if (largest := _largest(ours, theirs)) > 1e150:  # differences of huge values would overflow
        ours, theirs, unit = ours / largest, theirs / largest, largest
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
