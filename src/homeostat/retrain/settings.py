"""What homeostat.yaml says about closing the loop."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from homeostat.core.duration import Duration


class Triggers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may start a cycle.

    `performance`: labelled windows decayed. `quality`: incoming data broke the contract. `drift`: `never`, `without_labels` (only where
    labels cannot come), or `always`. `schedule`: cron, UTC. `new_rows`: so many new labelled rows since the last training.
    """

    performance: bool = True
    quality: bool = False
    drift: Literal["never", "without_labels", "always"] = "without_labels"
    schedule: str | None = None
    new_rows: Annotated[int, Meta(ge=1)] | None = None


class CanaryStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step is left upwards after at least `requests` to the canary and at least `time`."""

    percent: Annotated[float, Meta(gt=0.0, le=100.0)]
    requests: Annotated[int, Meta(ge=0)] = 100
    time: Duration = msgspec.field(default_factory=Duration)


class Rollout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a version that passed the gate is put to work.

    `patience`: a step that has not seen enough requests by then is left as it is (hold) or rolled back, see `on_timeout`.
    `labels`: how many labelled rows to wait for before the last step is left; 0: do not wait for labels. With labels it is left when they
    make it probable (60 %) that the version's loss is at most `margin` above the champion's; at any step a version goes back whose loss is
    credibly further above. None: the margin of `gate.champion`, by default 5 % of the champion's loss; no loss where that rule is `better`.
    """

    shadow_requests: Annotated[int, Meta(ge=0)] = 100
    shadow_time: Duration = msgspec.field(default_factory=Duration)
    canary: list[CanaryStep] = msgspec.field(
        default_factory=lambda: [CanaryStep(percent=10.0), CanaryStep(percent=50.0)]
    )
    labels: Annotated[int, Meta(ge=0)] = 0
    margin: Annotated[float, Meta(ge=0.0)] | None = None
    max_error_rate: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.01
    max_latency_ratio: Annotated[float, Meta(gt=0.0)] = 3.0
    max_disagreement: Annotated[float, Meta(ge=0.0)] | None = None
    max_shift: Annotated[float, Meta(ge=0.0)] | None = None
    alpha: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.01
    patience: Duration = msgspec.field(default_factory=lambda: Duration(days=1))
    on_timeout: Literal["promote", "roll_back"] = "roll_back"
    poll: Duration = msgspec.field(default_factory=lambda: Duration(seconds=1))


class RetrainSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`cooldown`: least time between the starts of two cycles. `approval`: a person must approve before a version meets traffic.

    `policy`: what a cycle makes. `triggers`: a new model. `stack`: the past champions together, weighed anew by the new labels, with a new
    member on signs of change and within a budget; every `triggers.new_rows` labelled rows, which it needs.
    """

    policy: Literal["triggers", "stack"] = "triggers"
    triggers: Triggers = msgspec.field(default_factory=Triggers)
    cooldown: Duration = msgspec.field(default_factory=lambda: Duration(days=1))
    approval: bool = False
    approval_timeout: Duration = msgspec.field(default_factory=lambda: Duration(days=7))
    rollout: Rollout = msgspec.field(default_factory=Rollout)
