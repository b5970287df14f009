"""Count, mean and the second to fourth central moments of values, of parts that are put together."""

import math

import msgspec
import numpy as np

from homeostat.watch.sample import Floats

_BIGGEST = float(np.finfo(np.float64).max)
_HUGE = 1e150  # its square is a float still


class Moments(msgspec.Struct, frozen=True, kw_only=True):
    """`m2`, `m3`, `m4`: sums of (x - mean) to that power. Where a power of the values overflows (beyond 1e77 for m4), the sum is the largest float."""

    count: int = 0
    mean: float = 0.0
    m2: float = 0.0
    m3: float = 0.0
    m4: float = 0.0

    @property
    def sd(self) -> float:
        """The standard deviation of the population; 0 without values."""
        return math.sqrt(self.m2 / self.count) if self.count else 0.0

    @property
    def skewness(self) -> float:
        """The third standardised moment; 0 where nothing varies, or too much for floats."""
        return math.sqrt(self.count) * self.m3 / self.m2**1.5 if 0 < self.m2 < _HUGE else 0.0

    @property
    def kurtosis(self) -> float:
        """The fourth standardised moment less 3, so that a normal distribution has 0; 0 where nothing varies."""
        return self.count * self.m4 / self.m2**2 - 3.0 if 0 < self.m2 < _HUGE else 0.0


def moments_of(values: Floats) -> Moments:
    """Return the moments of finite values of shape (n,)."""
    if not len(values):
        return Moments()
    with np.errstate(over="ignore", invalid="ignore"):
        mean = _finite(float(np.mean(values)))
        away = values - mean
        square = away * away
        m2 = float(np.sum(square))
        m3, m4 = (
            float(np.einsum("i,i", square, other)) for other in (away, square)
        )  # np.dot would wake BLAS's threads
    return Moments(count=len(values), mean=mean, m2=_finite(m2), m3=_finite(m3), m4=_finite(m4))


def merged_moments(a: Moments, b: Moments) -> Moments:
    """Return the moments of both parts together.

    P. Pebay (2008), "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical moments",
    Sandia report SAND2008-6212, equations 3.1; for m2 those of T. F. Chan, G. H. Golub and R. J. LeVeque (1979).

    >>> import numpy as np
    >>> both = merged_moments(moments_of(np.array([1.0, 2.0])), moments_of(np.array([6.0])))
    >>> both.count, both.mean, both.m2
    (3, 3.0, 14.0)
    """
    if not a.count or not b.count:
        return b if not a.count else a
    n, na, nb = a.count + b.count, a.count, b.count
    step = b.mean - a.mean
    part = step / n
    mean = a.mean + nb * part
    try:
        m2 = a.m2 + b.m2 + step * part * na * nb
        m3 = a.m3 + b.m3 + step * part**2 * na * nb * (na - nb) + 3 * part * (na * b.m2 - nb * a.m2)
        m4 = (
            a.m4
            + b.m4
            + step * part**3 * na * nb * (na**2 - na * nb + nb**2)
            + 6 * part**2 * (na**2 * b.m2 + nb**2 * a.m2)
            + 4 * part * (na * b.m3 - nb * a.m3)
        )
    except OverflowError:
        return Moments(count=n, mean=_finite(mean), m2=_BIGGEST, m3=0.0, m4=_BIGGEST)
    return Moments(count=n, mean=_finite(mean), m2=_finite(m2), m3=_finite(m3), m4=_finite(m4))


def _finite(value: float) -> float:
    return 0.0 if math.isnan(value) else min(max(value, -_BIGGEST), _BIGGEST)
