"""What was tried: experiments, runs, metrics, and the models that runs logged."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from homeostat.core.values import Json


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
