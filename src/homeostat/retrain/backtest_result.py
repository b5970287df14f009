"""What a backtest found, as records that go through JSON unchanged."""

from typing import Any, Literal

import msgspec

from homeostat.core.errors import InvalidInput
from homeostat.core.values import Json

Action = Literal["none", "waited", "promoted", "rejected", "rolled_back", "failed"]
Metrics = dict[str, float]


def has_trained(action: Action, trigger: str | None) -> bool:
    """Return whether a turn was a cycle that trained, however it ended; the first model, which every policy needs, does not count."""
    return action in ("promoted", "rejected", "rolled_back", "failed") and trigger != "first"


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy did at a moment, and why. `version`: the champion from then on."""

    at: str
    action: Action
    because: str
    trigger: str | None = None
    version: int | None = None
    rows: int = 0


class StepResult(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the replay: `rows` happened, the champion (`version`) answered `answered` of them.

    `metrics` are over all answered rows, with the truth of hindsight. `state`, `summary`, `value`, `reference` are what the watch said
    of the window, from labels known by then; `judged_at` is the moment. `turn`: what the policy did at the end of the step.
    """

    index: int
    start: str
    end: str
    rows: int
    answered: int
    version: int | None
    metrics: Metrics
    turn: Turn
    state: str = "unknown"
    summary: str = ""
    value: float | None = None
    reference: float | None = None
    judged_at: str | None = None


class Worst(msgspec.Struct, frozen=True, kw_only=True):
    index: int
    start: str
    value: float


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """A change that is known: its first row and moment, and how long after it the first alarm came; None: no alarm before the next one."""

    row: int
    at: str
    found: str | None = None
    delay_rows: int | None = None
    delay_s: float | None = None


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """The cheapest policy within `tolerance` of the best by `by` (the primary metric, or `cost`).

    `difference`: how much worse than `best` it was a step; `low` and `high` bound it with 95 %. `confidence`: in what share of resampled
    histories it is within the tolerance. `steps`: how many steps could be compared.
    """

    policy: str
    best: str
    by: str
    tolerance: float
    difference: float
    low: float
    high: float
    confidence: float
    steps: int


class PolicyResult(msgspec.Struct, frozen=True, kw_only=True):
    """One policy over the whole replay. `metrics`: over all replayed rows together; `mean_metrics`: the mean of the steps.

    `alerts`: windows in alarm. `retrainings`: promotions after the first model. `cycles`: trainings after the first, rejected ones too.
    `fits`: every fit, those of the first model, of rejected ones, and on all rows after the gate included. `worst`: the step with the worst
    primary metric. `cost`: where prices are given; `detections`, `false_alarms` (steps): where changes are known.
    """

    policy: str
    description: str
    start: Turn
    steps: list[StepResult]
    metrics: Metrics
    mean_metrics: Metrics
    rows: int
    answered: int
    alerts: int
    retrainings: int
    fits: int
    cpu_s: float
    wall_s: float
    worst: Worst | None = None
    cycles: int = 0
    cost: float | None = None
    detections: list[Detection] = []
    false_alarms: int | None = None


class BacktestResult(msgspec.Struct, frozen=True, kw_only=True):
    """All policies over the same replay. `primary` is the metric that decides; `higher_is_better` says so for each metric."""

    model: str
    task: str
    target: str
    primary: str
    higher_is_better: dict[str, bool]
    has_times: bool
    history_rows: int
    replayed_rows: int
    begin: str
    end: str
    label_delay: str
    policies: list[PolicyResult]
    wall_s: float = 0.0
    notes: list[str] = []
    recommendation: Recommendation | None = None

    def to_json(self) -> Json:
        """Return JSON-ready values, which `from_json` reads."""
        found: Json = msgspec.to_builtins(self)
        return found

    @classmethod
    def from_json(cls, found: Any) -> "BacktestResult":
        """Return what `to_json` wrote; raise InvalidInput where it is none."""
        try:
            return msgspec.convert(found, cls)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"this is no backtest result: {error}", hint="run the backtest again") from error

    def policy(self, name: str) -> PolicyResult | None:
        return next((one for one in self.policies if one.policy == name), None)
