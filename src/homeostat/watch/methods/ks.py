"""The Kolmogorov-Smirnov distance: the largest gap between two distribution functions."""

from homeostat.watch.method import Measured, Method
from homeostat.watch.sample import ColumnSample, Numbers
from homeostat.watch.significance import ks_distance, ks_p_value


def measure(reference: ColumnSample, current: ColumnSample) -> Measured:
    """Return the two-sample Kolmogorov-Smirnov distance D in [0, 1] and its asymptotic p-value (see `ks_p_value`).

    D does not change under any monotone change of scale, and sees a shift of the bulk better than one of the tails.

    >>> from homeostat.watch.sample import numbers
    >>> round(measure(numbers([1.0, 2.0, 3.0]), numbers([2.5, 3.5, 4.5])).effect, 6)
    0.666667
    """
    if not (isinstance(reference, Numbers) and isinstance(current, Numbers)):
        raise TypeError("ks measures numbers")
    distance = ks_distance(reference.values, current.values)
    return Measured(effect=distance, p_value=ks_p_value(distance, len(reference), len(current)))


METHOD = Method(name="ks", kinds=frozenset({"number"}), warn=0.1, alarm=0.2, measure=measure)
