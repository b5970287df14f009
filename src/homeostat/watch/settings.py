"""What homeostat.yaml says about watching."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from homeostat.core.duration import Duration


class DriftSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column has drifted when a method's effect exceeds its threshold AND its p-value, adjusted over columns, is below `alpha`.

    `joint`: what looks at all columns together (watch/multivariate), against the version's held-out rows; None: the defaults, an empty list: nothing.
    `methods` None: the defaults by kind of column; `thresholds` overrides a method's own alarm threshold.
    """

    methods: list[str] | None = None
    thresholds: dict[str, float] = {}
    alpha: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.01
    joint: list[str] | None = None
    min_rows: Annotated[int, Meta(ge=2)] = 100


class IncidentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`cooldown`: an incident that begins again within it goes on, and is not told twice. `least`: what is less severe is kept, and not told."""

    cooldown: Duration = msgspec.field(default_factory=lambda: Duration(days=1))
    least: Literal["low", "medium", "high"] = "low"


class GroupSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`slices`: columns by whose groups the metric is watched; `protected`: columns by whose groups fairness is (two classes), and the metric.

    `found`: look for slices that are worse than the rest; `min_rows`: of a smaller group nothing is said.
    """

    slices: list[str] = []
    protected: list[str] = []
    found: bool = True
    min_rows: Annotated[int, Meta(ge=10)] = 50


class WatchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`window`: length in time, or `window_rows` in rows (one of them; time needs a time column or arrival times).

    `maturity`: the share of a window's rows whose label must be known before its performance counts.
    `detectors`: what listens to the errors of labelled rows, one by one (watch/detectors); a rise warns.
    `estimates`: the estimators of performance without labels (watch/estimates); None: all that fit the task, an empty list: none.
    `max_rows`: what a look reads of the record, about; of more, the rows of requests drawn by their ids.
    `decay`: how much worse than the reference, in units of the metric, is decay; None: two standard errors AND 5 % of the reference.
    """

    window: Duration | None = None
    window_rows: Annotated[int, Meta(ge=10)] | None = None
    metric: str | None = None
    decay: Annotated[float, Meta(ge=0.0)] | None = None
    maturity: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.9
    min_labels: Annotated[int, Meta(ge=10)] = 100
    max_invalid_share: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.05
    max_rows: Annotated[int, Meta(ge=1_000)] = 300_000
    detectors: list[str] = msgspec.field(default_factory=lambda: ["adwin"])
    estimates: list[str] | None = None
    drift: DriftSettings = msgspec.field(default_factory=DriftSettings)
    groups: GroupSettings = msgspec.field(default_factory=GroupSettings)
    incidents: IncidentSettings = msgspec.field(default_factory=IncidentSettings)

    @property
    def by_count(self) -> bool:
        """Whether windows go by rows, not by time."""
        return self.window is None and self.window_rows is not None
