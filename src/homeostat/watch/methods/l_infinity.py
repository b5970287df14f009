"""The L-infinity distance of two histograms: the largest change of any one bin's or category's share."""

import numpy as np

from homeostat.watch.method import Measured, Method
from homeostat.watch.sample import ColumnSample, Floats, aligned_counts
from homeostat.watch.significance import homogeneity_p_value


def distance(reference: Floats, current: Floats) -> float:
    """Return the largest |p - q| over the bins of two histograms of shape (n_bins,), in [0, 1]; 0 where a side is empty.

    The measure that E. Breck, N. Polyzotis, S. Roy, S. E. Whang and M. Zinkevich (2019), "Data validation for machine learning",
    Proceedings of MLSys, alarm on: its limit needs no knowledge of statistics, and it does not grow with the number of bins.

    >>> round(distance(np.array([5.0, 3.0, 2.0]), np.array([5.0, 1.0, 4.0])), 3)
    0.2
    """
    if not reference.sum() or not current.sum():
        return 0.0
    return float(np.max(np.abs(reference / reference.sum() - current / current.sum())))


def measure(reference: ColumnSample, current: ColumnSample) -> Measured:
    """Return the distance, with Pearson's chi-square test on the same histograms as its significance.

    A change spread thinly over many categories is not seen: there total variation is the better measure.
    """
    ours, theirs = aligned_counts(reference, current)
    return Measured(effect=distance(ours, theirs), p_value=homogeneity_p_value(ours, theirs))


METHOD = Method(name="l_infinity", kinds=frozenset({"category"}), warn=0.05, alarm=0.1, measure=measure)
