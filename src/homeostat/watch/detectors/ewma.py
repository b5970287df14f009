"""An exponentially weighted moving average of the losses, beside the level of the first ones."""

import math
from dataclasses import dataclass, field

from homeostat.watch.detector import DetectorKind
from homeostat.watch.learned_level import LearnedLevel


@dataclass(slots=True)
class Ewma:
    """Averages the newest values and compares with the level.

    G. J. Ross, N. M. Adams, D. K. Tasoulis and D. J. Hand (2012), "Exponentially weighted moving average charts for detecting concept
    drift", Pattern Recognition Letters 33(2); the chart is S. W. Roberts's (1959).

    `weight` of the newest value: smaller finds smaller rises, later. `width`: standard deviations of the average that alarm; larger: fewer
    false alarms. The level is learned from the first `warm_up` values, and anew after an alarm.
    """

    weight: float = 0.05
    width: float = 4.5
    warm_up: int = 300
    level: LearnedLevel = field(default_factory=LearnedLevel)
    average: float | None = None

    def __post_init__(self) -> None:
        self.level.wanted = self.warm_up

    def add(self, value: float) -> bool:
        """Take a value; return whether the level has risen.

        >>> chart = Ewma()
        >>> any(chart.add(i % 4) for i in range(600)), any(chart.add(4.0) for _ in range(30))
        (False, True)
        """
        if not self.level.is_known:
            self.level.add(value)
            return False
        before = self.level.mean if self.average is None else self.average
        self.average = self.weight * value + (1.0 - self.weight) * before
        limit = self.width * self.level.sd * math.sqrt(self.weight / (2.0 - self.weight))
        if self.average - self.level.mean <= max(limit, 1e-12):
            return False
        self.level, self.average = LearnedLevel(wanted=self.warm_up), None
        return True


DETECTOR = DetectorKind(name="ewma", takes="losses", make=Ewma)
