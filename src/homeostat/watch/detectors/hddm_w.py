"""HDDM-W: two weighted means, before and after the best cut, and McDiarmid's bound on their difference."""

import math
from dataclasses import dataclass, field, replace

from homeostat.watch.detector import DetectorKind


@dataclass(slots=True)
class _Weighted:
    """An exponentially weighted mean, and `bound`: the sum of its squared weights."""

    count: int = 0
    mean: float = 0.0
    bound: float = 1.0

    def add(self, value: float, weight: float) -> None:
        self.mean = value if not self.count else weight * value + (1.0 - weight) * self.mean
        self.bound = weight * weight + (1.0 - weight) ** 2 * self.bound
        self.count += 1


@dataclass(slots=True)
class HddmW:
    """Keeps a weighted mean before the best cut and one after it.

    I. Frías-Blanco, J. del Campo-Ávila, G. Ramos-Jiménez, R. Morales-Bueno, A. Ortiz-Díaz and Y. Caballero-Mota (2015), "Online and
    non-parametric drift detection methods based on Hoeffding's bounds", IEEE Transactions on Knowledge and Data Engineering 27(3).

    `confidence`: the chance of a false alarm that the bound lets through at one look; smaller: fewer false alarms, later detection.
    `weight` of the newest value: larger sees sudden changes sooner and small ones less. Values must lie in [0, 1].
    """

    confidence: float = 0.001
    weight: float = 0.05
    total: _Weighted = field(default_factory=_Weighted)
    before: _Weighted = field(default_factory=_Weighted)
    after: _Weighted = field(default_factory=_Weighted)
    cut: float | None = None

    def add(self, value: float) -> bool:
        """Take a value in [0, 1]; return whether the mean has risen.

        >>> test = HddmW()
        >>> any(test.add(i % 5 == 0) for i in range(500)), any(test.add(1.0) for _ in range(50))
        (False, True)
        """
        self.total.add(value, self.weight)
        highest = self.total.mean + self._bound(self.total.bound)
        if self.cut is None or highest < self.cut:
            self.cut, self.before, self.after = highest, replace(self.total), _Weighted()
        else:
            self.after.add(value, self.weight)
        if not self.after.count:
            return False
        if self.after.mean - self.before.mean <= self._bound(self.before.bound + self.after.bound):
            return False
        self.total, self.before, self.after, self.cut = _Weighted(), _Weighted(), _Weighted(), None
        return True

    def _bound(self, squared_weights: float) -> float:
        return math.sqrt(squared_weights * math.log(1.0 / self.confidence) / 2.0)


DETECTOR = DetectorKind(name="hddm_w", takes="errors", make=HddmW)
