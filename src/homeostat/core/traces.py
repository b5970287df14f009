"""Nouns of tracing: a trace, its spans, and what people and judges said about it. JSON-ready values; times are UTC-aware."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]

NAME_TAG = "mlflow.traceName"
SPANS_TAG = "mlflow.trace.spansLocation"
PLACE_TAG = "mlflow.artifactLocation"
RUN_KEY = "mlflow.sourceRun"
SIZE_KEY = "mlflow.trace.sizeStats"


class TraceState(StrEnum):
    STATE_UNSPECIFIED = "STATE_UNSPECIFIED"
    OK = "OK"
    ERROR = "ERROR"
    IN_PROGRESS = "IN_PROGRESS"


class AssessmentKind(StrEnum):
    FEEDBACK = "feedback"
    EXPECTATION = "expectation"
    ISSUE = "issue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a person, a judge or code said of a trace. `numeric` is the value as a number where it has one, for comparisons.

    One that `overrides` another makes that one no longer valid.
    """

    assessment_id: str
    trace_id: str
    name: str
    kind: AssessmentKind
    source_type: str
    source_id: str
    created: datetime
    updated: datetime
    value: Any = None
    error: Json | None = None
    rationale: str | None = None
    span_id: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    overrides: str | None = None
    valid: bool = True

    @property
    def numeric(self) -> float | None:
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        return float(self.value) if is_number else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One request as it went through an application. `is_final`: its client has ended it, so spans that follow change no fact of it."""

    trace_id: str
    experiment_id: str
    state: TraceState
    started: datetime
    duration_ms: int | None = None
    client_request_id: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    is_final: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    assessments: tuple[Assessment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One step of a trace. `content` is the whole span in OpenTelemetry's JSON form; the other fields are for searching."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    status: str
    start_ns: int
    end_ns: int | None
    content: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceCondition:
    """`entity` tells where `key` is looked up: a field of the trace, a tag, a span's field or attribute, an assessment's name.

    `operator` is one of = != < <= > >= LIKE ILIKE IN, NOT IN, IS NULL, IS NOT NULL.
    """

    entity: Literal[
        "attribute", "tag", "metadata", "span", "span_attribute", "feedback", "expectation", "issue", "run", "prompt"
    ]
    key: str
    operator: str
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceOrder:
    entity: Literal["attribute", "tag", "metadata"]
    key: str
    is_ascending: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceQuery:
    """All conditions hold. Then the newest first, unless `order` says otherwise. `experiment_ids` None: everywhere."""

    experiment_ids: tuple[str, ...] | None = None
    conditions: tuple[TraceCondition, ...] = ()
    order: tuple[TraceOrder, ...] = ()
    limit: int = 100
    offset: int = 0
