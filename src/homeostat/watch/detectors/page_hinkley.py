"""The Page-Hinkley test: a running sum of how far values lie above their mean, beside its smallest value so far."""

from dataclasses import dataclass

from homeostat.watch.detector import DetectorKind


@dataclass(slots=True)
class PageHinkley:
    """Sums how far values lie above their running mean.

    E. S. Page (1954), "Continuous inspection schemes", Biometrika 41(1/2); in the form of J. Gama, R. Sebastião and P. P. Rodrigues
    (2013), "On evaluating stream learning algorithms", Machine Learning 90.

    `tolerance`: a rise of the mean that is none, in units of the values. `threshold`: how high the sum may stand above its smallest
    value; larger: fewer false alarms, later detection. `fading` < 1 forgets old values. `warm_up`: values before the first alarm.
    """

    tolerance: float = 0.005
    threshold: float = 50.0
    fading: float = 0.9999
    warm_up: int = 30
    count: int = 0
    mean: float = 0.0
    total: float = 0.0
    smallest: float = 0.0

    def add(self, value: float) -> bool:
        """Take a value; return whether the mean has risen.

        >>> test = PageHinkley(threshold=10.0)
        >>> any(test.add(0.1) for _ in range(500)), any(test.add(0.9) for _ in range(100))
        (False, True)
        """
        self.count += 1
        self.mean += (value - self.mean) / self.count
        self.total = self.fading * self.total + value - self.mean - self.tolerance
        self.smallest = min(self.smallest, self.total)
        if self.count < self.warm_up or self.total - self.smallest <= self.threshold:
            return False
        self.count, self.mean, self.total, self.smallest = 0, 0.0, 0.0, 0.0
        return True


DETECTOR = DetectorKind(name="page_hinkley", takes="losses", make=PageHinkley)
