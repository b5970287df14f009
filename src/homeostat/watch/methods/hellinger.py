"""The Hellinger distance of two histograms: 0 the same, 1 nothing in common."""

import numpy as np

from homeostat.watch.method import Measured, Method
from homeostat.watch.sample import ColumnSample, Floats, aligned_counts
from homeostat.watch.significance import homogeneity_p_value


def distance(reference: Floats, current: Floats) -> float:
    """Return the Hellinger distance of two histograms of shape (n_bins,), in [0, 1]; 0 where a side is empty.

    sqrt(1 - sum sqrt(p q)), from E. Hellinger (1909), "Neue Begründung der Theorie quadratischer Formen von unendlichvielen
    Veränderlichen", Journal für die reine und angewandte Mathematik 136. It weighs rare bins more than total variation does: one that was empty and now holds the share s adds about s, not s / 2, to its square.

    >>> round(distance(np.array([1.0, 1.0]), np.array([2.0, 0.0])), 4)
    0.5412
    """
    if not reference.sum() or not current.sum():
        return 0.0
    p, q = reference / reference.sum(), current / current.sum()
    return float(np.sqrt(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2) / 2))


def measure(reference: ColumnSample, current: ColumnSample) -> Measured:
    """Return the distance, with Pearson's chi-square test on the same histograms as its significance.

    Finer bins see finer changes and lie farther apart by chance (about sqrt((k - 1)(1/n + 1/m) / 8) for k bins).
    """
    ours, theirs = aligned_counts(reference, current)
    return Measured(effect=distance(ours, theirs), p_value=homogeneity_p_value(ours, theirs))


METHOD = Method(name="hellinger", kinds=frozenset({"number", "category"}), warn=0.1, alarm=0.2, measure=measure)
