"""The share of rows in categories that the reference does not have."""

from homeostat.watch.method import Measured, Method
from homeostat.watch.sample import Categories, ColumnSample


def measure(reference: ColumnSample, current: ColumnSample) -> Measured:
    """Return the share of unseen categories, and how likely so many new ones are where both sides are drawn alike.

    I. J. Good (1953), "The population frequencies of species and the estimation of population parameters", Biometrika 40: the share of
    rows in categories met once estimates that of categories still unseen. So rows met once in the reference and unseen rows of the window
    are two counts of one rate; given their sum, the unseen ones are binomial. A window larger than the reference counts as one of its
    size, since one new category may then fill many rows. Where the reference folded rare categories together, only what exceeds their
    share is unseen.
    """
    if not (isinstance(reference, Categories) and isinstance(current, Categories)):
        raise TypeError("unseen categories are those of a categorical column")
    n, m = len(reference), len(current)
    if not n or not m:
        return Measured(effect=0.0, p_value=None)
    unseen = m - sum(count for name, count in current.counts.items() if name in reference.counts)
    once = sum(count == 1 for count in reference.counts.values()) + reference.other
    share = max(0.0, unseen / m - reference.other / n)
    if not share:
        return Measured(effect=0.0, p_value=1.0)
    from scipy.special import bdtrc

    size = min(n, m)
    scaled = round(unseen * size / m)
    p_value = 1.0 if not scaled else float(bdtrc(scaled - 1, scaled + once + 1, size / (size + n)))
    return Measured(effect=share, p_value=p_value)


METHOD = Method(name="unseen", kinds=frozenset({"category"}), warn=0.001, alarm=0.01, measure=measure)
