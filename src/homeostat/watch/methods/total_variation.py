"""The total variation distance of two histograms: the share of rows that would have to move to another bin."""

import numpy as np

from homeostat.watch.method import Measured, Method
from homeostat.watch.sample import ColumnSample, Floats, aligned_counts
from homeostat.watch.significance import homogeneity_p_value


def distance(reference: Floats, current: Floats) -> float:
    """Return half the sum of |p - q| over the bins of two histograms of shape (n_bins,), in [0, 1]; 0 where a side is empty.

    The definition of A. L. Gibbs and F. E. Su (2002), "On choosing and bounding probability metrics", International Statistical
    Review 70(3): the largest difference that the two distributions give to any set of bins.

    >>> round(distance(np.array([5.0, 5.0]), np.array([7.0, 3.0])), 3)
    0.2
    """
    if not reference.sum() or not current.sum():
        return 0.0
    p, q = reference / reference.sum(), current / current.sum()
    return float(np.sum(np.abs(p - q)) / 2)


def measure(reference: ColumnSample, current: ColumnSample) -> Measured:
    """Return the distance, with Pearson's chi-square test on the same histograms as its significance.

    More bins see finer changes and lie farther apart by chance (about sqrt(k (1/n + 1/m) / (2 pi)) for k even bins).
    """
    ours, theirs = aligned_counts(reference, current)
    return Measured(effect=distance(ours, theirs), p_value=homogeneity_p_value(ours, theirs))


METHOD = Method(name="total_variation", kinds=frozenset({"number", "category"}), warn=0.1, alarm=0.2, measure=measure)
