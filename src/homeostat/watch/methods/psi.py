"""The population stability index of credit scoring: the symmetric Kullback-Leibler divergence of two histograms."""

import numpy as np

from homeostat.watch.method import Measured, Method
from homeostat.watch.sample import ColumnSample, Floats, aligned_counts
from homeostat.watch.significance import homogeneity_p_value


def psi(reference: Floats, current: Floats) -> float:
    """Return the population stability index of two histograms of shape (n_bins,), same bins, in nats, >= 0.

    Sum of (q - p) ln(q / p) over bins (Yurdakul and Naranjo 2020, "Statistical properties of the population stability index",
    Journal of Risk Model Validation 14(4)). A bin empty on one side gets half a count there, so that the result is finite; bins
    empty on both are left out. More bins see finer changes and add noise of about (bins - 1)(1/n + 1/m).

    >>> round(psi(np.array([50.0, 50.0]), np.array([80.0, 20.0])), 4)
    0.4159
    """
    if not reference.sum() or not current.sum():
        return 0.0
    seen = (reference + current) > 0
    ours, theirs = np.maximum(reference[seen], 0.5), np.maximum(current[seen], 0.5)
    p, q = ours / ours.sum(), theirs / theirs.sum()
    return max(0.0, float(np.sum((q - p) * np.log(q / p))))


def measure(reference: ColumnSample, current: ColumnSample) -> Measured:
    """Return the index, with Pearson's chi-square test on the same histograms as its significance.

    The customary limits are 0.1 (look at it) and 0.25 (act).
    """
    ours, theirs = aligned_counts(reference, current)
    return Measured(effect=psi(ours, theirs), p_value=homogeneity_p_value(ours, theirs))


METHOD = Method(name="psi", kinds=frozenset({"number", "category"}), warn=0.1, alarm=0.25, measure=measure)
