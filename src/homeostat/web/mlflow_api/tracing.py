"""Traces and assessments on the wire: Protocol Buffers' JSON form, with its timestamps, durations and choices of one field among several."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from homeostat.core.traces import NAME_TAG, Assessment, AssessmentKind, Trace, TraceState
from homeostat.web.mlflow_api.call import as_integer, as_text, missing, wrong
from homeostat.web.mlflow_api.errors import invalid

Json = dict[str, Any]

_TRACE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SECONDS = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s")
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)")
_MOST_KEY, _MOST_VALUE, _MOST_METADATA = 250, 4096, 250
_MOST_NAME = 250
_SOURCES = {"HUMAN", "LLM_JUDGE", "AI_JUDGE", "CODE", "SOURCE_TYPE_UNSPECIFIED"}
_FORMAT = "JSON_FORMAT"


# -- traces


def trace_id_of(value: str) -> str:
    """Return the id where it is one: it becomes part of a path."""
    if not _TRACE_ID.fullmatch(value):
        raise invalid(f"Invalid trace ID: {value[:100]!r}. A trace ID has up to 64 letters, digits, '-' and '_'.")
    return value


def read_trace(info: object, *, now: datetime) -> Trace:
    """Return the trace that a client describes."""
    if not isinstance(info, dict):
        raise missing("trace.trace_info")
    trace_id = trace_id_of(_text(info, "trace_id", required=True))
    place = info.get("trace_location")
    inner = place.get("mlflow_experiment") if isinstance(place, dict) else None
    if not isinstance(inner, dict):
        raise invalid("A trace needs a trace_location of type MLFLOW_EXPERIMENT.")
    state = info.get("state", "STATE_UNSPECIFIED")
    if not isinstance(state, str) or state not in TraceState.__members__:
        raise wrong("state", state)
    duration = info.get("execution_duration")
    given = [] if info.get("assessments") is None else info["assessments"]
    if not isinstance(given, list):
        raise wrong("assessments", given)
    tags, metadata = (
        {key: cut(value, most) for key, value in texts(info, name).items() if len(key) <= _MOST_KEY}
        for name, most in (("tags", _MOST_VALUE), ("trace_metadata", _MOST_METADATA))
    )
    return Trace(
        trace_id=trace_id,
        experiment_id=_text(inner, "experiment_id", required=True),
        state=TraceState(state),
        started=_stamp(info.get("request_time"), "request_time") or now,
        duration_ms=None if duration is None else _duration_ms(duration),
        client_request_id=_text(info, "client_request_id"),
        request_preview=_text(info, "request_preview"),
        response_preview=_text(info, "response_preview"),
        tags=tags,
        metadata=metadata,
        assessments=tuple(read_assessment(each, trace_id=trace_id, now=now) for each in given),
    )


def write_trace(trace: Trace) -> Json:
    """Return the trace as clients read it."""
    out: Json = {
        "trace_id": trace.trace_id,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": trace.experiment_id}},
        "request_time": stamp(trace.started),
        "state": trace.state.value,
        "trace_metadata": trace.metadata,
        "tags": trace.tags,
    }
    if trace.duration_ms is not None:
        sign, ms = ("-", -trace.duration_ms) if trace.duration_ms < 0 else ("", trace.duration_ms)
        out["execution_duration"] = f"{sign}{ms // 1000}.{ms % 1000:03d}s"
    for name in ("client_request_id", "request_preview", "response_preview"):
        if (value := getattr(trace, name)) is not None:
            out[name] = value
    if trace.assessments:
        out["assessments"] = [write_assessment(each) for each in trace.assessments]
    return out


def read_tag(key: str, value: str) -> tuple[str, str]:
    """Return a tag of a trace as it is kept."""
    if len(key) > _MOST_KEY:
        raise invalid(
            f"Trace tag key '{key[:100]}...' had length {len(key)}, which exceeded length limit of {_MOST_KEY}"
        )
    if key == NAME_TAG and len(value) > _MOST_VALUE:
        raise invalid(f"A trace's name has at most {_MOST_VALUE} characters.")
    return key, cut(value, _MOST_VALUE)


def cut(value: str, most: int) -> str:
    """Return the text, its end replaced by dots where it is too long."""
    return value if len(value) <= most else value[: most - 3] + "..."


# -- assessments


def read_assessment(given: object, *, trace_id: str, now: datetime, new_id: str = "") -> Assessment:
    """Return the assessment that a client describes."""
    if not isinstance(given, dict):
        raise missing("assessment")
    kind, value, error = read_value(given)
    source = given.get("source")
    if not isinstance(source, dict):
        raise missing("assessment.source")
    source_type = _text(source, "source_type", required=True)
    if source_type not in _SOURCES:
        raise wrong("source_type", source_type)
    return Assessment(
        assessment_id=trace_id_of(_text(given, "assessment_id") or new_id),
        trace_id=trace_id,
        name=read_name(given),
        kind=kind,
        source_type=source_type,
        source_id=_text(source, "source_id") or "default",
        created=_stamp(given.get("create_time"), "create_time") or now,
        updated=_stamp(given.get("last_update_time"), "last_update_time") or now,
        value=value,
        error=error,
        rationale=_text(given, "rationale"),
        span_id=_text(given, "span_id") or None,
        metadata=texts(given, "metadata"),
        overrides=_text(given, "overrides") or None,
        valid=given.get("valid") is not False,
    )


def read_name(given: Json) -> str:
    """Return the name of an assessment."""
    name: str = _text(given, "assessment_name", required=True)
    if len(name) > _MOST_NAME:
        raise invalid(f"An assessment's name has at most {_MOST_NAME} characters, this one has {len(name)}.")
    return name


def read_value(given: Json) -> tuple[AssessmentKind, Any, Json | None]:
    """Return which kind of value is given, the value, and the error that took its place."""
    found = [kind for kind in AssessmentKind if given.get(kind.value) is not None]
    if len(found) != 1:
        raise invalid("Exactly one of `expectation`, `feedback`, or `issue` should be specified.")
    kind = found[0]
    inner = given[kind.value]
    if not isinstance(inner, dict):
        raise wrong(kind.value, inner)
    if kind is AssessmentKind.ISSUE:
        return kind, _text(inner, "issue_name") or "", None
    if kind is AssessmentKind.FEEDBACK:
        error = inner.get("error")
        if error is not None and not isinstance(error, dict):
            raise wrong("error", error)
        return kind, inner.get("value"), {key: as_text(error[key], key) for key in error} if error else None
    packed = inner.get("serialized_value")
    if not isinstance(packed, dict):
        return kind, inner.get("value"), None
    if packed.get("serialization_format") != _FORMAT:
        raise wrong("serialization_format", packed.get("serialization_format"))
    try:
        return kind, json.loads(_text(packed, "value", required=True)), None
    except (ValueError, RecursionError) as error:
        raise invalid("The serialized value of an expectation must be JSON.") from error


def write_assessment(assessment: Assessment) -> Json:
    """Return the assessment as clients read it."""
    out: Json = {
        "assessment_id": assessment.assessment_id,
        "assessment_name": assessment.name,
        "trace_id": assessment.trace_id,
        "source": {"source_type": assessment.source_type, "source_id": assessment.source_id},
        "create_time": stamp(assessment.created),
        "last_update_time": stamp(assessment.updated),
        "valid": assessment.valid,
        assessment.kind.value: _written(assessment),
    }
    for name in ("rationale", "span_id", "metadata", "overrides"):
        if value := getattr(assessment, name):
            out[name] = value
    return out


def _written(assessment: Assessment) -> Json:
    if assessment.kind is AssessmentKind.ISSUE:
        return {"issue_name": assessment.value}
    if assessment.kind is AssessmentKind.FEEDBACK:
        return {"value": assessment.value, **({"error": assessment.error} if assessment.error else {})}
    if isinstance(assessment.value, list | dict):
        return {"serialized_value": {"serialization_format": _FORMAT, "value": json.dumps(assessment.value)}}
    return {"value": assessment.value}


# -- pieces


def texts(given: Json, name: str) -> dict[str, str]:
    """Return a map of texts, empty where it is absent."""
    value = given.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(name, value)
    return {as_text(key, name): as_text(each, name) for key, each in value.items()}


def stamp(value: datetime) -> str:
    """Return the time as Protocol Buffers' JSON form writes it, to the millisecond."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(given: Json, name: str, *, required: bool = False) -> Any:
    value = given.get(name)
    if value is None or (required and value == ""):
        if required:
            raise missing(name)
        return None
    return as_text(value, name)


def _stamp(value: object, name: str) -> datetime | None:
    """A time as text, or as {seconds, nanos}."""
    if value is None:
        return None
    if isinstance(value, dict):
        seconds, nanos = as_integer(value.get("seconds", 0), name), as_integer(value.get("nanos", 0), name)
        try:
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=nanos // 1000)
        except OverflowError as error:
            raise wrong(name, value) from error
    found = _STAMP.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise wrong(name, value)
    whole, fraction, zone = found.groups()
    try:
        return datetime.fromisoformat(f"{whole}.{(fraction or '0')[:6]:0<6}{zone.upper()}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise wrong(name, value) from error


def _duration_ms(value: object) -> int:
    if isinstance(value, dict):
        nanos = as_integer(value.get("nanos", 0), "execution_duration")
        return as_integer(value.get("seconds", 0), "execution_duration") * 1000 + nanos // 1_000_000
    found = _SECONDS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise wrong("execution_duration", value)
    sign, seconds, fraction = found.groups()
    ms = int(seconds) * 1000 + int(f"{(fraction or '0'):0<9}"[:3])
    return -ms if sign else ms
