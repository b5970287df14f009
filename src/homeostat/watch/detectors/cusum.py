"""A one-sided CUSUM of the losses, in standard deviations of the first ones."""

from dataclasses import dataclass, field

from homeostat.watch.detector import DetectorKind
from homeostat.watch.learned_level import LearnedLevel


@dataclass(slots=True)
class Cusum:
    """Sums what values lie above the level, less an allowance.

    E. S. Page (1954), "Continuous inspection schemes", Biometrika 41(1/2), as tabulated in D. C. Montgomery, "Introduction to
    Statistical Quality Control".

    `allowance`: half the rise, in standard deviations, that should be found quickest; `threshold`: how high the sum may stand. With the level
    known, 0.5 and 5 alarm once in 930 values of a normal stream that does not change. Here the level is learned from the first `warm_up`
    values and an error stream is not normal, hence the higher threshold. After an alarm the level is learned anew.
    """

    allowance: float = 0.5
    threshold: float = 12.0
    warm_up: int = 300
    level: LearnedLevel = field(default_factory=LearnedLevel)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.level.wanted = self.warm_up

    def add(self, value: float) -> bool:
        """Take a value; return whether the level has risen.

        >>> chart = Cusum()
        >>> any(chart.add(i % 4) for i in range(600)), any(chart.add(4.0) for _ in range(30))
        (False, True)
        """
        if not self.level.is_known:
            self.level.add(value)
            return False
        # values that were all alike have no spread: then any rise is a rise
        distance = (value - self.level.mean) / (self.level.sd or 1e-12)
        self.total = max(0.0, self.total + distance - self.allowance)
        if self.total <= self.threshold:
            return False
        self.level, self.total = LearnedLevel(wanted=self.warm_up), 0.0
        return True


DETECTOR = DetectorKind(name="cusum", takes="losses", make=Cusum)
