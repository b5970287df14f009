"""A rate of errors beside what is promised of it, and a study: a method, how its rate is measured at a size, and a change that it must see."""

from collections.abc import Callable
from dataclasses import dataclass

from scipy.stats import binom

SIZES = (100, 1_000, 10_000, 1_000_000)
CHANCE = 0.001  # of a rate that is as promised lying outside its interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`alarms` of `tries` beside a `nominal` share of them; `is_ceiling`: fewer are as promised too."""

    alarms: int
    tries: int
    nominal: float
    is_ceiling: bool = False

    @property
    def share(self) -> float:
        return self.alarms / self.tries

    @property
    def interval(self) -> tuple[float, float]:
        """The shares between which a binomial with the nominal rate lies but for one time in 1,000."""
        low, high = (int(binom.ppf(at, self.tries, self.nominal)) for at in (CHANCE / 2, 1 - CHANCE / 2))
        return (0.0 if self.is_ceiling else low / self.tries), high / self.tries

    @property
    def is_kept(self) -> bool:
        low, high = self.interval
        return low <= self.share <= high

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.alarms} of {self.tries} ({self.share:.4g}), nominal {self.nominal:.4g}: {low:.4g} to {high:.4g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """`change` in words; `seen`: how often it was seen; `least`: the share that must be."""

    change: str
    seen: Callable[[], tuple[int, int]]
    least: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """`null(n)` measures the rate with n rows (values, labels, windows' rows) where nothing moved; seeds are made of n and the try's number."""

    family: str
    name: str
    null: Callable[[int], Rate]
    power: Power | None = None
    sizes: tuple[int, ...] = SIZES

    @property
    def id(self) -> str:
        return f"{self.family}: {self.name}"
