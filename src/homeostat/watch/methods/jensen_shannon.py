"""The Jensen-Shannon distance of two histograms: 0 the same, 1 nothing in common."""

import numpy as np

from homeostat.watch.method import Measured, Method
from homeostat.watch.sample import ColumnSample, Floats, aligned_counts
from homeostat.watch.significance import homogeneity_p_value


def distance(reference: Floats, current: Floats) -> float:
    """Return the Jensen-Shannon distance of two histograms of shape (n_bins,), base 2, in [0, 1]; 0 where a side is empty.

    The square root of the divergence of J. Lin (1991), "Divergence measures based on the Shannon entropy", IEEE Transactions on
    Information Theory 37(1), which Endres and Schindelin (2003) showed to be a metric.

    >>> distance(np.array([10.0, 0.0]), np.array([0.0, 3.0]))
    1.0
    """
    if not reference.sum() or not current.sum():
        return 0.0
    p, q = reference / reference.sum(), current / current.sum()
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return float(np.sqrt(np.clip(divergence, 0.0, 1.0)))


def _relative_entropy(p: Floats, q: Floats) -> float:
    some = p > 0
    return float(np.sum(p[some] * np.log2(p[some] / q[some])))


def measure(reference: ColumnSample, current: ColumnSample) -> Measured:
    """Return the distance, with Pearson's chi-square test on the same histograms as its significance.

    Small samples of many categories lie far apart by chance alone (about sqrt((k - 1)(1/n + 1/m) / 11)): see `p_value`.
    """
    ours, theirs = aligned_counts(reference, current)
    return Measured(effect=distance(ours, theirs), p_value=homogeneity_p_value(ours, theirs))


METHOD = Method(name="jensen_shannon", kinds=frozenset({"number", "category"}), warn=0.1, alarm=0.2, measure=measure)
