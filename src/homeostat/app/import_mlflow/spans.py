"""Spans as MLflow keeps them, in OpenTelemetry's JSON form."""

import base64
import json
import math
from typing import Any

Json = dict[str, Any]
_CODES = {"STATUS_CODE_OK": 1, "OK": 1, "STATUS_CODE_ERROR": 2, "ERROR": 2}
_NAMES = {"inf": "Infinity", "-inf": "-Infinity"}


def otlp_of(span: Json) -> Json:
    """Return a span as MLflow keeps it (attributes as JSON texts) in OpenTelemetry's JSON form."""
    if "context" in span:  # MLflow 2
        span = {
            "trace_id": _base64(span["context"]["trace_id"]),
            "span_id": _base64(span["context"]["span_id"]),
            "parent_span_id": _base64(span["parent_id"]) if span.get("parent_id") else "",
            "name": span["name"],
            "start_time_unix_nano": span["start_time"],
            "end_time_unix_nano": span.get("end_time"),
            "status": {"code": span.get("status_code"), "message": span.get("status_message")},
            "attributes": span.get("attributes") or {},
            "events": [{**each, "time_unix_nano": each.get("timestamp")} for each in span.get("events") or []],
        }
    status = span.get("status") or {}
    out: Json = {
        "trace_id": span["trace_id"],
        "span_id": span["span_id"],
        "name": span.get("name") or "",
        "start_time_unix_nano": int(span.get("start_time_unix_nano") or 0),
        "attributes": [
            {"key": key, "value": any_value(loaded(value))} for key, value in (span.get("attributes") or {}).items()
        ],
        "status": {"code": _CODES.get(str(status.get("code")), 0)},
    }
    if span.get("parent_span_id"):
        out["parent_span_id"] = span["parent_span_id"]
    if span.get("end_time_unix_nano"):
        out["end_time_unix_nano"] = int(span["end_time_unix_nano"])
    if status.get("message"):
        out["status"]["message"] = status["message"]
    events = [
        {
            "name": each.get("name") or "",
            "time_unix_nano": int(each.get("time_unix_nano") or 0),
            "attributes": [
                {"key": key, "value": any_value(value)} for key, value in (each.get("attributes") or {}).items()
            ],
        }
        for each in span.get("events") or []
    ]
    return out | ({"events": events} if events else {})


def any_value(value: Any) -> Json:  # noqa: PLR0911 - one per kind
    """Return a plain value as OpenTelemetry's AnyValue in JSON."""
    match value:
        case None:
            return {}
        case bool():
            return {"bool_value": value}
        case int() if -(2**63) <= value < 2**63:
            return {"int_value": value}
        case float():
            return {"double_value": value if math.isfinite(value) else _NAMES.get(str(value), "NaN")}
        case str():
            return {"string_value": value.replace("\0", "\ufffd")}
        case list():
            return {"array_value": {"values": [any_value(each) for each in value]}}
        case dict():
            return {
                "kvlist_value": {"values": [{"key": str(key), "value": any_value(each)} for key, each in value.items()]}
            }
        case _:
            return {"string_value": str(value)}


def loaded(value: Any) -> Any:
    """Return what a JSON text says, the text itself where it is none."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _base64(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text.removeprefix("0x").rjust(16, "0"))).decode()
