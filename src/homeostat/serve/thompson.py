"""Shares of a split that follow the rewards: each version gets the probability that it is the best one. Pure and deterministic.

Thompson sampling (W. R. Thompson, "On the likelihood that one unknown probability exceeds another in view of the evidence of two samples",
Biometrika 25, 1933), as randomized probability matching (S. L. Scott, "A modern Bayesian look at the multi-armed bandit", Applied Stochastic
Models in Business and Industry 26, 2010): the probability is computed, and keys, which are spread at random, are shared out by it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_POINTS = 4096  # of each quantile function: the probability is right to about 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """What came back for the requests that a version answered: how many, the sum of their rewards, and the sum of squares."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def __post_init__(self) -> None:
        if self.n < 0 or not (math.isfinite(self.total) and math.isfinite(self.squares)) or self.squares < 0.0:
            raise ValueError(f"no sums of {self.n} finite rewards: {self.total}, {self.squares}")

    @classmethod
    def of(cls, rewards: Floats) -> "Rewards":
        """Return the sums of rewards of shape (n,)."""
        return cls(n=len(rewards), total=float(rewards.sum()), squares=float(np.square(rewards).sum()))


def probability_best(arms: Mapping[int, Rewards], *, kind: Literal["rate", "mean"]) -> dict[int, float]:
    """Return the probability of each version that its expected reward is the greatest; they add up to 1.

    `rate`: rewards between 0 and 1, a Beta posterior from a uniform prior (a reward in between counts in part). `mean`: any rewards, the
    Student t posterior of a normal mean. Its prior is worth one request and comes from all versions' rewards together, so that
    neither unit nor zero of the reward matters. By quadrature over the quantiles of each posterior, not by drawing.

    >>> even = probability_best({1: Rewards(), 2: Rewards()}, kind="rate")
    >>> round(even[1], 3)
    0.5
    >>> probability_best({1: Rewards(n=100, total=80, squares=80), 2: Rewards(n=100, total=50, squares=50)}, kind="rate")[1] > 0.999
    True
    """
    posteriors = _rates(arms) if kind == "rate" else _means(arms)
    quantiles = (np.arange(_POINTS) + 0.5) / _POINTS
    found = {}
    for version, own in posteriors.items():
        at = own.ppf(quantiles)
        below = [other.cdf(at) for name, other in posteriors.items() if name != version]
        found[version] = float(np.prod(below, axis=0).mean()) if below else 1.0
    whole = sum(found.values())
    return {version: probability / whole for version, probability in found.items()}


def shares(probabilities: Mapping[int, float], *, floor: float) -> dict[int, float]:
    """Return shares in per cent that add up to 100: the floor (per cent) for each version, the rest by probability.

    >>> shares({1: 0.75, 2: 0.25}, floor=10.0)
    {1: 70.0, 2: 30.0}
    """
    if not 0.0 <= floor * len(probabilities) <= 100.0:
        raise ValueError(f"a floor of {floor:g} % for each of {len(probabilities)} versions is impossible")
    rest = 100.0 - floor * len(probabilities)
    return {version: floor + rest * probability for version, probability in probabilities.items()}


def _rates(arms: Mapping[int, Rewards]) -> dict[int, Any]:
    from scipy.stats import beta

    outside = [version for version, arm in arms.items() if not 0.0 <= arm.total <= arm.n]
    if outside:
        raise ValueError(f"rewards of version {outside[0]} are not between 0 and 1")
    return {version: beta(1.0 + arm.total, 1.0 + arm.n - arm.total) for version, arm in arms.items()}


def _means(arms: Mapping[int, Rewards]) -> dict[int, Any]:
    """Return the marginal posteriors of means under a normal-inverse-gamma prior of one observation."""
    from scipy.stats import t

    n, total = sum(arm.n for arm in arms.values()), sum(arm.total for arm in arms.values())
    centre = total / n if n else 0.0
    spread = sum(arm.squares for arm in arms.values()) / n - centre**2 if n else 1.0
    # all alike: any scale says the same, but a distribution needs one
    scale = spread if spread > 1e-12 * max(1.0, centre**2) else max(1.0, centre**2)
    found = {}
    for version, arm in arms.items():
        mean = arm.total / arm.n if arm.n else centre
        within = max(0.0, arm.squares - arm.n * mean**2)
        count, shape = 1.0 + arm.n, 1.0 + arm.n / 2.0
        rate = scale + within / 2.0 + arm.n * (mean - centre) ** 2 / (2.0 * count)
        middle = (centre + arm.total) / count
        found[version] = t(df=2.0 * shape, loc=middle, scale=math.sqrt(rate / (shape * count)))
    return found
