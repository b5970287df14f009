"""Asymptotic p-values of two samples being drawn from one distribution, without the cost of importing scipy.stats.

Both suppose independent rows. Rows of a stream seldom are, which is why a verdict never rests on a p-value alone.
"""

import math

import numpy as np

from homeostat.watch.sample import Floats


def ks_distance(reference: Floats, current: Floats) -> float:
    """Return the largest distance of the two empirical distribution functions of sorted values, ties taken together.

    >>> import numpy as np
    >>> ks_distance(np.array([1.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0]))
    0.0
    """
    if not len(reference) or not len(current):
        return 0.0
    points = np.concatenate([reference, current])
    left = np.searchsorted(reference, points, side="right") / len(reference)
    right = np.searchsorted(current, points, side="right") / len(current)
    return float(np.max(np.abs(left - right)))


def ks_p_value(distance: float, n: int, m: int) -> float | None:
    """Return the two-sided p-value of a Kolmogorov-Smirnov distance between samples of sizes n and m; None where one is empty.

    Limit distribution of Kolmogorov (1933) with the finite-size argument of M. A. Stephens (1970), "Use of the
    Kolmogorov-Smirnov, Cramér-von Mises and related statistics without extensive tables", JRSS B 32: the factor
    sqrt(e) + 0.12 + 0.11 / sqrt(e) with e = n m / (n + m). Conservative where values are tied.
    """
    if not n or not m:
        return None
    from scipy.special import kolmogorov

    root = math.sqrt(n * m / (n + m))
    return float(kolmogorov((root + 0.12 + 0.11 / root) * distance))


def homogeneity_p_value(reference: Floats, current: Floats, *, least_expected: float = 5.0) -> float | None:
    """Return Pearson's chi-square p-value that two histograms (same bins) come from one distribution; None where one is empty.

    Bins where the reference lets expect fewer than `least_expected` are put together first (Cochran's rule): a larger value
    trusts the approximation less and loses power on rare categories. The reference alone decides: bins picked by what the
    window holds would make it look different. One bin left: 1.0, nothing can differ.
    """
    n, m = float(reference.sum()), float(current.sum())
    if not n or not m:
        return None
    rare = reference * min(1.0, m / n) < least_expected
    ours, theirs = _fold(reference, rare), _fold(current, rare)
    pooled = ours + theirs
    ours, theirs, pooled = ours[pooled > 0], theirs[pooled > 0], pooled[pooled > 0]
    if len(pooled) < 2:
        return 1.0
    from scipy.special import chdtrc

    statistic = float(np.sum((ours * math.sqrt(m / n) - theirs * math.sqrt(n / m)) ** 2 / pooled))
    return float(chdtrc(len(pooled) - 1, statistic))


def _fold(counts: Floats, rare: "np.typing.NDArray[np.bool_]") -> Floats:
    return np.append(counts[~rare], counts[rare].sum())
