"""KSWIN: the newest values of a sliding window held against the older ones by the Kolmogorov-Smirnov test."""

from dataclasses import dataclass, field

import numpy as np

from homeostat.watch.detector import DetectorKind
from homeostat.watch.significance import ks_distance, ks_p_value


@dataclass(slots=True)
class Kswin:
    """Holds the newest values of a window against the older ones.

    C. Raab, M. Heusinger and F.-M. Schleif (2020), "Reactive soft prototype computing for concept drift streams", Neurocomputing 416.

    `alpha`: the p-value at one look below which it alarms. It looks at every value, so alarms without a change are far more frequent than
    `alpha`: smaller for fewer. `newest`, `window`: values in the newest part and in all; larger sees smaller changes, later:
    exponential losses that double were seen within 500 values by 1 of 20 with the paper's 30 of 100, by 19 of 20 with 120 of 400 (after 84 values); losses
    five times as great by all 20, after 25 and 44. Where the paper draws as many of the older values by chance, all of them are taken here: the same
    answer whenever it is asked, and a little more power. Made for losses of many values: of zeros and ones it sees only the largest rises.
    """

    alpha: float = 0.0001
    window: int = 400
    newest: int = 120
    values: list[float] = field(default_factory=list)

    def add(self, value: float) -> bool:
        """Take a value; return whether the newest values differ from the older ones and are greater in the mean.

        >>> test = Kswin()
        >>> any(test.add(i % 7 / 7) for i in range(500)), any(test.add(2.0 + i % 7 / 7) for i in range(80))
        (False, True)
        """
        self.values.append(value)
        if len(self.values) < self.window:
            return False
        self.values = self.values[-self.window :]
        older, newer = np.array(self.values[: -self.newest]), np.array(self.values[-self.newest :])
        if newer.mean() <= older.mean():
            return False
        p_value = ks_p_value(ks_distance(np.sort(older), np.sort(newer)), len(older), len(newer))
        if p_value is None or p_value > self.alpha:
            return False
        self.values = self.values[-self.newest :]
        return True


DETECTOR = DetectorKind(name="kswin", takes="losses", make=Kswin)
