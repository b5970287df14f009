"""ADWIN: a window over a stream of numbers that drops its old part when the new part's mean differs.

A. Bifet and R. Gavalda (2007), "Learning from time-changing data with adaptive windowing", SIAM International Conference on Data Mining:
ADWIN2, with buckets of exponentially growing size and the bound of its section 3.2 that uses the variance.
"""

import math
from dataclasses import dataclass, field

_BUCKETS = 5  # of one size, before two are merged
_CLOCK = 32  # values between two looks
_LEAST = 5  # values on each side of a cut


@dataclass(slots=True)
class _Bucket:
    count: int
    total: float
    spread: float  # sum of squared deviations from the bucket's mean


@dataclass(slots=True)
class Adwin:
    """Call `add` with each value. `delta`: the chance of a false cut per look; smaller: fewer false cuts, later detection."""

    delta: float = 0.002
    _rows: list[list[_Bucket]] = field(default_factory=list)  # row i: buckets of 2**i values, newest first
    _seen: int = 0

    def add(self, value: float) -> bool:
        """Take a value; return whether the window was cut because the newer values are greater. A fall cuts too, but is no alarm.

        >>> adwin = Adwin()
        >>> any(adwin.add(0.0) for _ in range(500)), any(adwin.add(1.0) for _ in range(100))
        (False, True)
        """
        self._insert(_Bucket(1, value, 0.0), 0)
        self._seen += 1
        return self._seen % _CLOCK == 0 and self._shrink()

    @property
    def count(self) -> int:
        """How many values the window holds."""
        return sum(bucket.count for row in self._rows for bucket in row)

    @property
    def mean(self) -> float:
        total = sum(bucket.total for row in self._rows for bucket in row)
        return total / self.count if self._rows else math.nan

    def _insert(self, bucket: _Bucket, at: int) -> None:
        if at == len(self._rows):
            self._rows.append([])
        row = self._rows[at]
        row.insert(0, bucket)
        if len(row) > _BUCKETS:
            older, newer = row.pop(), row.pop()
            self._insert(_merged(older, newer), at + 1)

    def _shrink(self) -> bool:
        """Drop the oldest bucket as long as a cut shows a difference."""
        has_risen = False
        while (rise := self._difference()) is not None:
            has_risen = has_risen or rise > 0
            self._rows[-1].pop()
            while self._rows and not self._rows[-1]:
                self._rows.pop()
        return has_risen

    def _difference(self) -> float | None:
        """Return newer minus older mean at the first cut that shows a difference, None where none does."""
        buckets = [bucket for row in reversed(self._rows) for bucket in reversed(row)]
        whole = _Bucket(0, 0.0, 0.0)
        for bucket in buckets:
            whole = _merged(whole, bucket)
        if whole.count < 2 * _LEAST:
            return None
        strictness = math.log(2.0 * math.log(whole.count) / self.delta)
        variance = whole.spread / whole.count
        older, total = 0, 0.0
        for bucket in buckets[:-1]:
            older += bucket.count
            total += bucket.total
            newer = whole.count - older
            if older < _LEAST or newer < _LEAST:
                continue
            inverse = 1.0 / older + 1.0 / newer
            bound = math.sqrt(2.0 * inverse * variance * strictness) + 2.0 / 3.0 * inverse * strictness
            difference = (whole.total - total) / newer - total / older
            if abs(difference) > bound:
                return difference
        return None


def _merged(one: _Bucket, other: _Bucket) -> _Bucket:
    if not one.count or not other.count:
        return other if not one.count else one
    count = one.count + other.count
    apart = one.total / one.count - other.total / other.count
    spread = one.spread + other.spread + apart * apart * one.count * other.count / count
    return _Bucket(count, one.total + other.total, spread)
