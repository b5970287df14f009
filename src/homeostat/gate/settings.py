"""What homeostat.yaml says about being good enough."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from homeostat.core.duration import Duration

Positive = Annotated[float, Meta(gt=0.0)]
NotNegative = Annotated[float, Meta(ge=0.0)]


CONFIDENCE = 0.95


class Bound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    min: float | None = None
    max: float | None = None


class ChampionRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Compared with the champion on the same rows, by paired bootstrap.

    `not_worse`: the interval of the difference excludes a loss of more than `margin`; `better`: it excludes any gain below `margin`.
    `metric` None: the task's own (log loss; mean absolute error). `margin` is in units of the metric; None: 5 % of the champion's loss
    for `not_worse`, nothing for `better`. `confidence` None: 95 % for `better`, and 60 % for `not_worse`: shadow and canary come after the
    gate, and a refresh that is kept out because the test rows are few costs more than it saves (docs/decisions/0004).
    """

    rule: Literal["not_worse", "better", "off"] = "not_worse"
    metric: str | None = None
    margin: NotNegative | None = None
    confidence: Annotated[float, Meta(gt=0.5, lt=1.0)] | None = None
    resamples: Annotated[int, Meta(ge=100)] = 1000

    @property
    def sureness(self) -> float:
        """The confidence that the comparison with the champion asks for."""
        return self.confidence or (CONFIDENCE if self.rule == "better" else 0.6)


class SliceRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The worst segment may be worse than the whole by at most `max_gap` (in units of the metric), counted from its interval's good end."""

    columns: list[str] = []
    protected: list[str] = []
    metric: str | None = None
    max_gap: NotNegative = 0.1
    min_rows: Annotated[int, Meta(ge=1)] = 50


class GateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    metrics: dict[str, Bound] = {}
    champion: ChampionRule = msgspec.field(default_factory=ChampionRule)
    slices: SliceRule = msgspec.field(default_factory=SliceRule)
    max_calibration_error: NotNegative | None = 0.1
    max_latency: Duration | None = None
    infrastructure: bool = True
    skip: list[str] = []
