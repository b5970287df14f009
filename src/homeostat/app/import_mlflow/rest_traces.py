"""Traces as an MLflow server tells them: Protocol Buffers' JSON form."""

from datetime import UTC, datetime
from typing import Any

from homeostat.app.import_mlflow.spans import loaded
from homeostat.core.traces import Assessment, AssessmentKind, Span, Trace, TraceState
from homeostat.track.traces import span_of

Json = dict[str, Any]
_NUMBERS = {"int_value", "start_time_unix_nano", "end_time_unix_nano", "time_unix_nano"}
_CODES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")


def trace_of(info: Json) -> Trace:
    """Return the trace that a server's trace_info tells of."""
    duration = info.get("execution_duration")
    return Trace(
        trace_id=info["trace_id"],
        experiment_id=info["trace_location"]["mlflow_experiment"]["experiment_id"],
        state=TraceState(info.get("state", "STATE_UNSPECIFIED")),
        started=_time(info["request_time"]),
        duration_ms=None if duration is None else round(float(duration.removesuffix("s")) * 1000),
        client_request_id=info.get("client_request_id"),
        request_preview=info.get("request_preview"),
        response_preview=info.get("response_preview"),
        is_final=True,
        tags=info.get("tags", {}),
        metadata=info.get("trace_metadata", {}),
        assessments=tuple(_assessment(each, info["trace_id"]) for each in info.get("assessments", [])),
    )


def spans_of(trace_id: str, spans: list[Json]) -> list[Span]:
    """Return the spans of a trace."""
    return [span_of(trace_id, _plain(span)) for span in spans]


def _assessment(each: Json, trace_id: str) -> Assessment:
    kind = next(kind for kind in AssessmentKind if kind.value in each)
    inner = each[kind.value]
    packed = inner.get("serialized_value")
    value = loaded(packed["value"]) if packed else inner.get("issue_name" if kind is AssessmentKind.ISSUE else "value")
    source = each.get("source", {})
    return Assessment(
        assessment_id=each["assessment_id"],
        trace_id=trace_id,
        name=each.get("assessment_name", ""),
        kind=kind,
        source_type=source.get("source_type", "SOURCE_TYPE_UNSPECIFIED"),
        source_id=source.get("source_id", "default"),
        created=_time(each["create_time"]),
        updated=_time(each["last_update_time"]),
        value=value,
        error=inner.get("error"),
        rationale=each.get("rationale"),
        span_id=each.get("span_id"),
        metadata=each.get("metadata", {}),
        overrides=each.get("overrides"),
        valid=each.get("valid", True),
    )


def _plain(value: Any, name: str = "") -> Any:
    """Numbers as numbers, and enums too, whichever way the server writes them."""
    if isinstance(value, dict):
        return {key: _plain(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if name in _NUMBERS:
        return int(value)
    if name == "code" and isinstance(value, str):
        return _CODES.get(value, 0)
    if name == "kind" and isinstance(value, str):
        return _KINDS.index(value.removeprefix("SPAN_KIND_")) if value.removeprefix("SPAN_KIND_") in _KINDS else 0
    return value


def _time(text: str) -> datetime:
    whole, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{rest[:6]:0<6}").replace(tzinfo=UTC)
