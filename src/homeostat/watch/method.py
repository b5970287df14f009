"""What a drift method is: a named measure of how far one column has moved from its reference."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from homeostat.watch.sample import ColumnSample

SampleKind = Literal["number", "category"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`effect` >= 0 says how far, in the method's own units; `p_value` how likely so far or farther is without any change.

    `p_value` is None where there is nothing to test (an empty side).
    """

    effect: float
    p_value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A plug-in: `kinds` of columns it can measure, the effects from which it warns and alarms, and the measure itself."""

    name: str
    kinds: frozenset[SampleKind]
    warn: float
    alarm: float
    measure: Callable[[ColumnSample, ColumnSample], Measured]

    def __post_init__(self) -> None:
        if not 0 < self.warn <= self.alarm:
            raise ValueError(f"method {self.name}: 0 < warn <= alarm, got {self.warn} and {self.alarm}")
