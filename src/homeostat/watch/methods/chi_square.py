"""Pearson's chi-square test of homogeneity, with Cramér's V as its effect."""

import numpy as np

from homeostat.watch.method import Measured, Method
from homeostat.watch.sample import ColumnSample, Floats, aligned_counts
from homeostat.watch.significance import homogeneity_p_value


def cramers_v(reference: Floats, current: Floats) -> float:
    """Return Cramér's V in [0, 1] of the table whose rows are two histograms, both given the same weight.

    H. Cramér (1946), "Mathematical Methods of Statistics". For two rows V = sqrt(chi2 / N). Unweighted, V would shrink as the
    sizes of the samples differ, and a window of 100 rows could never alarm against a reference of 50,000; for samples of one
    size it is the usual V.

    >>> cramers_v(np.array([30.0, 70.0]), np.array([30.0, 70.0]))
    0.0
    """
    if not reference.sum() or not current.sum():
        return 0.0
    p, q = reference / reference.sum(), current / current.sum()
    some = (p + q) > 0
    return float(np.sqrt(min(1.0, np.sum((p[some] - q[some]) ** 2 / (p[some] + q[some])) / 2)))


def measure(reference: ColumnSample, current: ColumnSample) -> Measured:
    """Return Cramér's V and Pearson's p-value; categories expected fewer than 5 times are tested as one."""
    ours, theirs = aligned_counts(reference, current)
    return Measured(effect=cramers_v(ours, theirs), p_value=homogeneity_p_value(ours, theirs))


METHOD = Method(name="chi_square", kinds=frozenset({"number", "category"}), warn=0.1, alarm=0.2, measure=measure)
