"""Phase I: which of the first values were in control, and so which limits later ones are held against. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from homeostat.watch.control.individuals import robust_scale

LEAST = 8  # values in control, below which there are no limits
_ROUNDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """Centre and standard deviation of the values in control. They stay as they are until a person acknowledges a change.

    `dropped`: places of the values that were not in control.
    """

    center: float
    scale: float
    count: int
    dropped: tuple[int, ...] = ()

    def score(self, value: float) -> float:
        """Return how many standard deviations the value lies above the centre; a process without any spread has only 0 and infinity."""
        if self.scale:
            return (value - self.center) / self.scale
        return 0.0 if value == self.center else float("inf") if value > self.center else float("-inf")


def freeze(values: Sequence[float], *, width: float = 3.0) -> Frozen | None:
    """Return the limits of what was in control: values outside are dropped, the rest fitted again, until none is outside.

    None where fewer than 8 are left. A smaller `width` drops more, and so narrows the limits of a process that was in control: at 3
    one value in 370 is dropped for nothing. Centre and spread are the median and 1.4826 MAD.

    >>> frozen = freeze([1.0, 1.1, 0.9, 1.0, 1.2, 0.8, 1.1, 0.9, 9.0])
    >>> frozen.center, frozen.dropped
    (1.0, (8,))
    """
    kept = list(range(len(values)))
    for _ in range(_ROUNDS):
        if len(kept) < LEAST:
            return None
        center, scale = robust_scale([values[at] for at in kept])
        inside = [at for at in kept if abs(values[at] - center) <= width * scale]
        if len(inside) == len(kept) or not scale:
            break
        kept = inside
    if len(kept) < LEAST:
        return None
    center, scale = robust_scale([values[at] for at in kept])
    dropped = tuple(sorted(set(range(len(values))) - set(kept)))
    return Frozen(center=center, scale=scale, count=len(kept), dropped=dropped)
