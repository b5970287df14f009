"""Nouns that are kept: runs, data versions, model versions, routes, verdicts, cycles, events.

Payloads are JSON-ready values (dict, list, str, int, float, bool, None), so that every store can keep them.
Times are UTC-aware.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

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
class Route:
    """Which versions answer for a model. `generation` grows with every change, so that workers can say what they have loaded.

    `canary_percent` of keys go to `canary`; `shadow` sees every request and answers none.
    """

    model: str
    generation: int
    champion: int | None
    shadow: int | None = None
    canary: int | None = None
    canary_percent: float = 0.0
    since: datetime | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.canary_percent <= 100.0:
            raise ValueError(f"canary_percent is a percentage, got {self.canary_percent}")
        if self.canary is None and self.canary_percent:
            raise ValueError("a canary percentage needs a canary version")

    @property
    def versions(self) -> tuple[int, ...]:
        """Every version that a worker must hold, champion first."""
        return tuple(dict.fromkeys(v for v in (self.champion, self.canary, self.shadow) if v is not None))


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
