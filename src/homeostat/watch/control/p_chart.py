"""The chart of shares: how many of n rows are bad, where n is large and differs from window to window. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from homeostat.watch.control.individuals import robust_scale
from homeostat.watch.control.point import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLimits:
    """`center`: the share in control. `between`: how many times wider than binomial windows scatter, 1 where they do not."""

    center: float
    between: float

    def of(self, bad: int, rows: int, *, width: float = 3.0) -> Point:
        """Return the share of a window beside its limits, which depend on its rows; a larger `width` alarms less.

        Few bad rows are skewed: without the adjustment of G. Chen (1998), "An improved p chart through simple adjustments", Journal of Quality
        Technology 30(2), by which the Cornish-Fisher expansion moves both limits, 2 % of 100 rows would exceed theirs three times as often as 0.135 %.
        """
        if not 0 <= bad <= rows or not rows:
            raise ValueError(f"{bad} of {rows} is no share")
        # a centre of exactly 0 or 1 has no spread: one row more than never is then one row within a rounding
        half = width * self.between * math.sqrt(self.center * (1.0 - self.center) / rows)
        middle = self.center + ((width**2 - 1.0) / 6.0 * (1.0 - 2.0 * self.center) / rows if half else 0.0)
        return Point(value=bad / rows, lower=max(0.0, middle - half), upper=min(1.0, middle + half))


def share_limits(bad: Sequence[int], rows: Sequence[int]) -> ShareLimits:
    """Return the limits that windows in control give: `bad` of `rows` in each.

    D. B. Laney (2002), "Improved control charts for attributes", Quality Engineering 14(4): with many rows the binomial limits become so narrow
    that the ordinary differences between days lie outside; z-scores of the windows are put on an individuals chart, whose spread
    widens the limits. Here that spread is the robust one (median absolute deviation) and never below 1: windows that happen to lie close
    together do not make the next one suspicious. A spread that is learned from few windows is uncertain: where windows scatter more than a binomial,
    one window in 100 exceeds limits from 20 windows, and one in 740 those from many.

    >>> limits = share_limits([10, 12, 9, 11], [1000, 1000, 1000, 1000])
    >>> round(limits.center, 4), limits.between, limits.of(40, 1000).signal
    (0.0105, 1.0, True)
    """
    if not rows or len(bad) != len(rows) or min(rows) < 1:
        raise ValueError("windows with rows are needed to learn limits from")
    center = sum(bad) / sum(rows)
    if not 0.0 < center < 1.0:
        return ShareLimits(center=center, between=1.0)
    scores = [(b / n - center) / math.sqrt(center * (1.0 - center) / n) for b, n in zip(bad, rows, strict=True)]
    _, spread = robust_scale(scores)
    return ShareLimits(center=center, between=max(1.0, spread))
