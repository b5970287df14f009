"""A point of a control chart."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value beside its limits; `signal` when it lies outside."""

    value: float
    lower: float
    upper: float

    @property
    def signal(self) -> bool:
        return not self.lower <= self.value <= self.upper
