"""The tabular CUSUM: sums what values lie above and below the centre, less an allowance. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The two sums after a value, in standard deviations; `signal` when one exceeds the `limit`."""

    above: float
    below: float
    limit: float

    @property
    def signal(self) -> bool:
        return self.above > self.limit or self.below > self.limit


def cusum(
    values: Sequence[float], *, center: float, scale: float, allowance: float = 0.5, limit: float = 5.0
) -> list[Sums]:
    """Return the sums after each value, both ways.

    E. S. Page (1954), "Continuous inspection schemes", Biometrika 41(1/2). `allowance`: half the shift, in standard deviations, that should be
    found quickest. A larger `limit` alarms less: with 0.5 and 5 a process in control alarms once in about 465 values, and a shift of one
    standard deviation is found after about 10.

    >>> [round(sums.above, 1) for sums in cusum([1.5, 1.5, 1.5], center=0.0, scale=1.0)]
    [1.0, 2.0, 3.0]
    """
    if scale <= 0 or allowance < 0 or limit <= 0:
        raise ValueError(f"scale and limit > 0 and allowance >= 0, got {scale}, {limit} and {allowance}")
    above = below = 0.0
    found = []
    for value in values:
        distance = (value - center) / scale
        above = max(0.0, above + distance - allowance)
        below = max(0.0, below - distance - allowance)
        found.append(Sums(above=above, below=below, limit=limit))
    return found
