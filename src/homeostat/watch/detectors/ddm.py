"""DDM: the share of errors beside the lowest that it has been, in standard deviations of a share."""

import math
from dataclasses import dataclass

from homeostat.watch.detector import DetectorKind


@dataclass(slots=True)
class Ddm:
    """Watches the share of errors.

    J. Gama, P. Medas, G. Castillo and P. Rodrigues (2004), "Learning with drift detection", SBIA 2004, LNCS 3171.

    `drift`: standard deviations above the lowest level that alarm; larger: fewer false alarms, later detection. `warm_up`: values
    before the level counts. Slow changes are missed: the lowest level is forgotten only by an alarm.
    """

    drift: float = 3.0
    warm_up: int = 30
    count: int = 0
    share: float = 0.0
    lowest_share: float | None = None
    lowest_deviation: float = 0.0

    def add(self, value: float) -> bool:
        """Take a 0 or a 1 (an error); return whether errors have become more frequent.

        >>> ddm = Ddm()
        >>> any(ddm.add(i % 10 == 0) for i in range(500)), any(ddm.add(1) for _ in range(100))
        (False, True)
        """
        self.count += 1
        self.share += (value - self.share) / self.count
        if self.count <= self.warm_up:
            return False
        deviation = math.sqrt(self.share * (1.0 - self.share) / self.count)
        if self.lowest_share is None or self.share + deviation <= self.lowest_share + self.lowest_deviation:
            self.lowest_share, self.lowest_deviation = self.share, deviation
        if self.share + deviation <= self.lowest_share + self.drift * self.lowest_deviation:
            return False
        self.count, self.share, self.lowest_share, self.lowest_deviation = 0, 0.0, None, 0.0
        return True


DETECTOR = DetectorKind(name="ddm", takes="errors", make=Ddm)
