"""Nouns that are kept: runs, data versions, model versions, routes, verdicts, cycles, events.

Payloads are JSON-ready values (dict, list, str, int, float, bool, None), so that every store can keep them.
Times are UTC-aware.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A group of runs. `artifacts` is the URI below which its runs keep their files (empty: below its own id)."""

    experiment_id: str
    name: str
    created: datetime
    updated: datetime
    artifacts: str = ""
    lifecycle_stage: str = "active"
    tags: dict[str, str] = field(default_factory=dict)


class RunStatus(StrEnum):
    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One value of a metric; `step` and `time` order its history."""

    key: str
    value: float
    time: datetime
    step: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One try at a model. `facts` holds what makes it reproducible: data version, code, environment, seed, hardware."""

    run_id: str
    experiment_id: str
    name: str
    status: RunStatus
    started: datetime
    ended: datetime | None = None
    user: str = ""
    artifacts: str = ""
    lifecycle_stage: str = "active"
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    facts: Json = field(default_factory=dict)


class Point(NamedTuple):
    """One value of a metric, as small as it goes: the time is in milliseconds since 1970."""

    key: str
    value: float
    time_ms: int
    step: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InputDataset:
    """A data set that a run says it used. `schema` and `profile` are texts that the client wrote, None where it gave none."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail:
    """A run with everything that belongs to it; `latest` holds the newest point of each metric, by key.

    `model_outputs` are pairs of a logged model's id and the step that it was saved at.
    """

    run: Run
    latest: tuple[Point, ...] = ()
    datasets: tuple[InputDataset, ...] = ()
    model_inputs: tuple[str, ...] = ()
    model_outputs: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """A committed version: `version` counts from 1; `table_version` is the table store's own number."""

    dataset: str
    version: int
    table_version: int
    rows: int
    added: int
    created: datetime
    source: str
    schema: Json
    profile: Json
    key: str | None = None


class QuarantineState(StrEnum):
    HELD = "held"
    RELEASED = "released"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedBatch:
    """A batch that broke the contract, whole, with the report that says where."""

    batch_id: str
    dataset: str
    created: datetime
    source: str
    rows: int
    location: str
    report: Json
    state: QuarantineState = QuarantineState.HELD
    resolved_by: str | None = None
    resolved: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """An immutable version of a named model.

    `location` is the blob prefix of its package, `digests` maps each file to its SHA-256 (empty: there was no package, so it cannot be
    served), `lineage` names data version, run, code and environment, `report` is the gate report's id. One that a client registered has
    the `source` that the client named, and until a cycle has adopted it a `signature` that only tells what its package declares.
    """

    model: str
    version: int
    run_id: str
    created: datetime
    location: str
    digests: dict[str, str]
    signature: Json
    lineage: Json
    report_id: str | None = None
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    health: str = "ok"
    updated: datetime | None = None
    stage: str = "None"
    source: str = ""
    model_id: str = ""
    run_link: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A name that versions are registered under, and what is said of it."""

    name: str
    created: datetime
    updated: datetime
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)


class LoggedModelStatus(StrEnum):
    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModelMetric:
    """A metric of a logged model: `run_id` is the run that measured it, on the data set named (empty: none was)."""

    model_id: str
    run_id: str
    key: str
    value: float
    time: datetime
    step: int = 0
    dataset_name: str = ""
    dataset_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModel:
    """A model as a run left it, before anyone registers it. `artifacts` is the blob prefix below which its files are."""

    model_id: str
    experiment_id: str
    name: str
    created: datetime
    updated: datetime
    artifacts: str
    status: LoggedModelStatus = LoggedModelStatus.PENDING
    status_message: str = ""
    model_type: str = ""
    source_run_id: str = ""
    lifecycle_stage: str = "active"
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: tuple[LoggedModelMetric, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobInfo:
    """An entry of a folder of blobs; `size_bytes` and `changed`, when it was written, are None for a folder."""

    name: str
    is_folder: bool
    size_bytes: int | None = None
    changed: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    report_id: str
    model: str
    run_id: str
    created: datetime
    passed: bool
    body: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Requests of which every row has these values are answered by `version`. `when` names features, or `key` for the request's key."""

    when: Mapping[str, str | int | float | bool | None]
    version: int

    def __post_init__(self) -> None:
        if not self.when:
            raise ValueError(f"a segment for version {self.version} names no value; a segment of all is a promotion")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Shares of the keys, in per cent by version, that no segment has taken; they add up to 100.

    `policy`: `fixed`, or `thompson`: the shares follow the rewards that arrive, and none goes below `floor` per cent. `reward`: what a label
    says: `label`, its own value (1 for a click), or `correct`, whether the version's prediction equals it (a number: minus the error).
    """

    shares: Mapping[int, float]
    policy: Literal["fixed", "thompson"] = "fixed"
    reward: Literal["label", "correct"] = "label"
    floor: float = 5.0

    def __post_init__(self) -> None:
        if len(self.shares) < 2:
            raise ValueError("a split is between two versions at least")
        if min(self.shares.values()) < 0.0 or not math.isclose(sum(self.shares.values()), 100.0, abs_tol=1e-6):
            raise ValueError(f"the shares of a split are percentages that add up to 100, got {dict(self.shares)}")
        if not 0.0 <= self.floor * len(self.shares) <= 100.0:
            raise ValueError(f"a floor of {self.floor:g} % for each of {len(self.shares)} versions is impossible")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which versions answer for a model. `generation` grows with every change, so that workers can say what they have loaded.

    Asked in this order: the first of `segments` that fits; `canary_percent` of keys go to `canary`; the `split`; the champion. `shadow` sees
    every request and answers none.
    """

    model: str
    generation: int
    champion: int | None
    shadow: int | None = None
    canary: int | None = None
    canary_percent: float = 0.0
    segments: tuple[Segment, ...] = ()
    split: Split | None = None
    since: datetime | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.canary_percent <= 100.0:
            raise ValueError(f"canary_percent is a percentage, got {self.canary_percent}")
        if self.canary is None and self.canary_percent:
            raise ValueError("a canary percentage needs a canary version")

    @property
    def versions(self) -> tuple[int, ...]:
        """Every version that a worker must hold, champion first."""
        arms = () if self.split is None else tuple(self.split.shares)
        held = (self.champion, self.canary, self.shadow, *(segment.version for segment in self.segments), *arms)
        return tuple(dict.fromkeys(v for v in held if v is not None))

    def without(self, version: int) -> "Route":
        """Return the route with a version out of all but the championship; what is left of a split is shared by the others as before."""
        split, is_canary = self.split, self.canary == version
        if split is not None and version in split.shares:
            left = {v: share for v, share in split.shares.items() if v != version}
            total = sum(left.values())
            split = (
                replace(split, shares={v: 100.0 * share / total for v, share in left.items()})
                if len(left) > 1 and total > 0.0
                else None
            )
        return replace(
            self,
            shadow=None if self.shadow == version else self.shadow,
            canary=None if is_canary else self.canary,
            canary_percent=0.0 if is_canary else self.canary_percent,
            segments=tuple(segment for segment in self.segments if segment.version != version),
            split=split,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A serving process and the generations of routes that it has switched to."""

    worker_id: str
    pid: int
    host: str
    started: datetime
    heartbeat: datetime
    generations: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowVerdict:
    """What watching one window of one model found; restated windows get a higher `revision`, never an overwrite."""

    model: str
    window_start: datetime
    window_end: datetime
    revision: int
    computed: datetime
    state: str
    body: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Windows that alarmed for one kind of cause, as one story. `resolved` is None while it is open.

    `severity`: the worst so far, 1 where an alarm threshold is just reached; `told_severity`: when people last heard of it.
    """

    incident_id: str
    model: str
    kind: str
    version: int
    opened: datetime
    updated: datetime
    windows: int
    severity: float
    told_severity: float
    because: str
    columns: tuple[str, ...] = ()
    resolved: datetime | None = None


class CycleState(StrEnum):
    RUNNING = "running"
    PROMOTED = "promoted"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        return self is not CycleState.RUNNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One turn of the loop, named after the trigger that fired it."""

    cycle_id: str
    model: str
    trigger: str
    because: str
    started: datetime
    state: CycleState = CycleState.RUNNING
    stage: str = "started"
    ended: datetime | None = None
    run_id: str | None = None
    version: int | None = None
    options: Json = field(default_factory=dict)
    outcome: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An entry of the audit log. `kind` is `subject.verb_past`; `key` makes a retried step find its first try."""

    seq: int
    time: datetime
    actor: str
    kind: str
    subject: str
    payload: Json
    key: str | None
    previous: str
    digest: str
