"""EDDM: the distance between two errors beside the greatest that it has been."""

import math
from dataclasses import dataclass

from homeostat.watch.detector import DetectorKind


@dataclass(slots=True)
class Eddm:
    """Watches the distances between errors.

    M. Baena-García, J. del Campo-Ávila, R. Fidalgo, A. Bifet, R. Gavaldà and R. Morales-Bueno (2006), "Early drift detection method",
    Fourth International Workshop on Knowledge Discovery from Data Streams.

    Alarms when mean + 2 standard deviations of the distances falls below `drift` times its greatest value; a smaller `drift` alarms
    less. `warm_up`: errors before that, and values before the distances count. Sees slow changes that DDM misses, and errs more on noise: on streams without any change it
    raises many times the false alarms of the others.
    """

    drift: float = 0.9
    warm_up: int = 30
    count: int = 0
    last: int = 0
    errors: int = 0
    mean: float = 0.0
    spread: float = 0.0  # sum of squared deviations from the mean
    greatest: float = 0.0

    def add(self, value: float) -> bool:
        """Take a 0 or a 1 (an error); return whether errors follow each other faster.

        >>> eddm = Eddm()
        >>> any(eddm.add(i % 20 == i % 3) for i in range(2000)), any(eddm.add(i % 4 == 0) for i in range(2000))
        (False, True)
        """
        self.count += 1
        if value != 1:
            return False
        distance, self.last = self.count - self.last, self.count
        self.errors += 1
        ahead = distance - self.mean
        self.mean += ahead / self.errors
        self.spread += ahead * (distance - self.mean)
        if self.count <= self.warm_up:
            return False
        level = self.mean + 2.0 * math.sqrt(self.spread / max(self.errors - 1, 1))
        if level > self.greatest:
            self.greatest = level
            return False
        if self.errors <= self.warm_up or level >= self.drift * self.greatest:
            return False
        self.count = self.last = self.errors = 0
        self.mean = self.spread = self.greatest = 0.0
        return True


DETECTOR = DetectorKind(name="eddm", takes="errors", make=Eddm)
