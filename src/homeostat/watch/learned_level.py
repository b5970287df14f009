"""The level and spread of the first values of a stream, learned and then frozen: what charts without a known standard begin with."""

import math
from dataclasses import dataclass


@dataclass(slots=True)
class LearnedLevel:
    """Mean and standard deviation of the first `wanted` values (Welford's recurrences). `is_known` from then on, and nothing moves any more."""

    wanted: int = 300
    count: int = 0
    mean: float = 0.0
    spread: float = 0.0  # sum of squared deviations from the mean

    @property
    def is_known(self) -> bool:
        return self.count >= self.wanted

    @property
    def sd(self) -> float:
        return math.sqrt(self.spread / max(self.count - 1, 1))

    def add(self, value: float) -> None:
        """Take one of the first values.

        >>> level = LearnedLevel(wanted=3)
        >>> for value in (1.0, 2.0, 3.0):
        ...     level.add(value)
        >>> level.is_known, level.mean, level.sd
        (True, 2.0, 1.0)
        """
        self.count += 1
        ahead = value - self.mean
        self.mean += ahead / self.count
        self.spread += ahead * (value - self.mean)
