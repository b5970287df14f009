"""Traces: begun by whoever comes first, a client that ends them or a span that arrives; judged by people and judges afterwards."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.ports.store import Transaction
from homeostat.core.traces import (
    NAME_TAG,
    PLACE_TAG,
    SIZE_KEY,
    SPANS_TAG,
    Assessment,
    AssessmentKind,
    Span,
    Trace,
    TraceState,
)
from homeostat.core.values import Json

IN_STORE = "TRACKING_STORE"
MOST_LINKS = 100
_INPUTS, _OUTPUTS = "mlflow.spanInputs", "mlflow.spanOutputs"
_USAGE, _USAGE_KEY = "mlflow.chat.tokenUsage", "mlflow.trace.tokenUsage"
_COST, _COST_KEY = "mlflow.llm.cost", "mlflow.trace.cost"
_SESSIONS, _SESSION_KEY = ("session.id", "gen_ai.conversation.id"), "mlflow.trace.session"
_USER, _USER_KEY = "user.id", "mlflow.trace.user"
_TAG_PREFIX = "mlflow.traceTag."
_NOT_TAGS = ("telemetry.sdk.", "mlflow.")
_PREVIEW = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OPEN = (TraceState.IN_PROGRESS, TraceState.STATE_UNSPECIFIED)


def place_of(experiment_id: str, trace_id: str) -> str:
    """Return where a client keeps the files of a trace."""
    return f"mlflow-artifacts:/{experiment_id}/traces/{trace_id}/artifacts"


def put_trace(tx: Transaction, trace: Trace) -> Trace:
    """Store what a client says of a trace that it ended, over what its spans said before; return it as stored."""
    known = tx.traces.find(trace.trace_id)
    if known is not None:
        trace = replace(
            trace,
            request_preview=known.request_preview if trace.request_preview is None else trace.request_preview,
            response_preview=known.response_preview if trace.response_preview is None else trace.response_preview,
        )
    tags = {**trace.tags, PLACE_TAG: place_of(trace.experiment_id, trace.trace_id)}
    tx.traces.put(replace(trace, is_final=True, tags=tags))
    return tx.traces.get(trace.trace_id)


def put_spans(tx: Transaction, experiment_id: str, spans: Sequence[Span], *, resource: Mapping[str, str]) -> list[str]:
    """Store spans, in traces that begin here where they are new; return the ids of those traces.

    As long as no client has ended a trace, its times, state, previews and sums follow from its spans.
    """
    by_trace: dict[str, list[Span]] = {}
    for span in spans:
        by_trace.setdefault(span.trace_id, []).append(span)
    tags = {key: value for key, value in resource.items() if not key.startswith(_NOT_TAGS)}
    for trace_id, found in by_trace.items():
        known = tx.traces.find(trace_id)
        begun = known or Trace(
            trace_id=trace_id,
            experiment_id=experiment_id,
            state=TraceState.IN_PROGRESS,
            started=_time(min(span.start_ns for span in found)),
            tags={PLACE_TAG: place_of(experiment_id, trace_id)},
        )
        if known is None:
            tx.traces.put(begun)
        tx.traces.put_spans(found)
        changed = begun if begun.is_final else _followed(begun, found, _all(tx, trace_id, found))
        root = next((span for span in found if span.parent_id is None), None)
        named = _tags_of(root) if root else {}
        tx.traces.put(replace(changed, tags={**changed.tags, **tags, **named, SPANS_TAG: IN_STORE}))
    return list(by_trace)


def complete(trace: Trace, spans: int) -> bool:
    """Return whether all spans are there that the client counted when it ended the trace."""
    try:
        counted = json.loads(trace.metadata.get(SIZE_KEY, "{}")).get("num_spans", 1)
    except (ValueError, AttributeError):
        counted = 1
    return spans >= (counted if isinstance(counted, int) else 1)


def delete_traces(
    tx: Transaction,
    *,
    experiment_id: str,
    until: datetime | None = None,
    limit: int | None = None,
    trace_ids: Sequence[str] | None = None,
) -> int:
    """Delete an experiment's traces, by id or by age; return how many."""
    if not trace_ids and until is None:
        raise InvalidInput("Either `max_timestamp_millis` or `trace_ids` must be specified.")
    if trace_ids and (until is not None or limit is not None):
        raise InvalidInput("`trace_ids` can't be combined with `max_timestamp_millis` or `max_traces`.")
    found = tx.traces.ids(experiment_id=experiment_id, until=until, limit=limit, trace_ids=trace_ids or None)
    return tx.traces.delete(found)


def set_tag(tx: Transaction, trace_id: str, key: str, value: str) -> None:
    tx.traces.get(trace_id)
    tx.traces.set_tag(trace_id, key, value)


def delete_tag(tx: Transaction, trace_id: str, key: str) -> None:
    tx.traces.get(trace_id)
    tx.traces.delete_tag(trace_id, key)


def link_to_run(tx: Transaction, trace_ids: Sequence[str], run_id: str) -> None:
    """Note that traces belong to a run. Unknown traces are passed over, as they may have been deleted meanwhile."""
    if len(trace_ids) > MOST_LINKS:
        raise InvalidInput(
            f"Cannot link more than {MOST_LINKS} traces to a run in a single request. Provided {len(trace_ids)} traces."
        )
    tx.runs.head(run_id)
    tx.traces.link([trace.trace_id for trace in tx.traces.many(trace_ids)], "run", [run_id])


def link_prompts(tx: Transaction, trace_id: str, prompts: Iterable[str]) -> None:
    tx.traces.get(trace_id)
    tx.traces.link([trace_id], "prompt", prompts)


def add_assessment(tx: Transaction, assessment: Assessment) -> Assessment:
    """Store what was said of a trace; what it overrides counts no longer."""
    tx.traces.get(assessment.trace_id)
    overridden = assessment.overrides
    if overridden and not tx.traces.set_valid(assessment.trace_id, overridden, valid=False):
        raise NotFound(f"Assessment with ID '{overridden}' not found for trace '{assessment.trace_id}'")
    tx.traces.put_assessment(assessment)
    return assessment


def get_assessment(tx: Transaction, trace_id: str, assessment_id: str) -> Assessment:
    tx.traces.get(trace_id)
    found = tx.traces.find_assessment(trace_id, assessment_id)
    if found is None:
        raise NotFound(f"Assessment with ID '{assessment_id}' not found for trace '{trace_id}'")
    return found


def change_assessment(
    tx: Transaction, trace_id: str, assessment_id: str, *, kind: AssessmentKind | None, changes: Json, now: datetime
) -> Assessment:
    """Return the assessment with `changes` (name, value, error, rationale, metadata); metadata are added to those that are there."""
    known = get_assessment(tx, trace_id, assessment_id)
    if kind is not None and kind is not known.kind:
        raise InvalidInput(f"Cannot update {kind} value on {known.kind.value.capitalize()} assessment.")
    merged = {**known.metadata, **changes.get("metadata", {})}
    found = replace(known, **{**changes, "metadata": merged, "updated": now})
    tx.traces.put_assessment(found)
    return found


def remove_assessment(tx: Transaction, trace_id: str, assessment_id: str) -> None:
    """Delete an assessment; the one that it overrode counts again. One that is not there is no error: twice is as once."""
    tx.traces.get(trace_id)
    known = tx.traces.find_assessment(trace_id, assessment_id)
    if known is None:
        return
    if known.overrides:
        tx.traces.set_valid(trace_id, known.overrides, valid=True)
    tx.traces.delete_assessment(trace_id, assessment_id)


def attributes_of(content: Json) -> dict[str, Any]:
    """Return a span's attributes as plain values."""
    return {each.get("key", ""): _plain(each.get("value", {})) for each in content.get("attributes", [])}


def _followed(trace: Trace, arrived: Sequence[Span], everything: Sequence[Span]) -> Trace:
    """The trace as its spans tell it."""
    root = next((span for span in arrived if span.parent_id is None), None)
    ends = [span.end_ns for span in everything if span.end_ns]
    start_ns = min(span.start_ns for span in everything)
    changes: dict[str, Any] = {"started": _time(start_ns)}
    if ends:
        changes["duration_ms"] = max(ends) // 1_000_000 - start_ns // 1_000_000
    facts: dict[str, str] = {}
    if root is not None:
        own = attributes_of(root.content)
        if trace.state in _OPEN:
            changes["state"] = TraceState.ERROR if root.status == "ERROR" else TraceState.OK
        changes["request_preview"] = _preview(own.get(_INPUTS)) or trace.request_preview
        changes["response_preview"] = _preview(own.get(_OUTPUTS)) or trace.response_preview
        if not trace.tags.get(NAME_TAG):
            changes["tags"] = {**trace.tags, NAME_TAG: root.name}
    for key, name in ((_USAGE, _USAGE_KEY), (_COST, _COST_KEY)):
        if total := _sum(everything, key):
            facts[name] = json.dumps(total)
    for span in arrived:
        own = attributes_of(span.content)
        session = next((own[key] for key in _SESSIONS if own.get(key)), None)
        for key, value in ((_SESSION_KEY, session), (_USER_KEY, own.get(_USER))):
            if value and key not in trace.metadata:
                facts.setdefault(key, str(value)[:250])
    return replace(trace, **changes, metadata={**trace.metadata, **facts})


def _sum(spans: Sequence[Span], key: str) -> dict[str, float]:
    """Sum what spans say they used. A span that says so speaks for all below it."""
    parents = {span.span_id: span.parent_id for span in spans}
    said: dict[str, dict[str, float]] = {}
    for span in spans:
        used = attributes_of(span.content).get(key)
        if isinstance(used, str):
            try:
                used = json.loads(used)
            except ValueError:
                continue
        if isinstance(used, dict):
            said[span.span_id] = {
                name: value
                for name, value in used.items()
                if isinstance(value, int | float) and not isinstance(value, bool)
            }
    total: dict[str, float] = {}
    for span_id, used in said.items():
        above, seen = parents.get(span_id), {span_id}
        while above and above not in said and above not in seen:
            seen.add(above)
            above = parents.get(above)
        if above not in said:
            for name, value in used.items():
                total[name] = total.get(name, 0) + value
    return total


def _all(tx: Transaction, trace_id: str, found: Sequence[Span]) -> list[Span]:
    """The spans that arrived and those that were there."""
    new = {span.span_id for span in found}
    stored = [span_of(trace_id, json.loads(text)) for text in tx.traces.spans([trace_id])[trace_id]]
    return [*found, *(span for span in stored if span.span_id not in new)]


def span_of(trace_id: str, content: Json) -> Span:
    """Return the span that a content in OpenTelemetry's JSON form is; raise InvalidInput where ids or times are missing."""
    from base64 import b64decode

    span_id = b64decode(content.get("span_id", "")).hex()
    parent = b64decode(content.get("parent_span_id", "")).hex()
    start, end = content.get("start_time_unix_nano", 0), content.get("end_time_unix_nano", 0)
    if len(span_id) != 16 or len(parent) not in (0, 16):
        raise InvalidInput("a span id has 8 bytes", hint="send spans as OpenTelemetry does")
    if not 0 <= start < 1 << 63 or not 0 <= end < 1 << 63:
        raise InvalidInput("a span's times are nanoseconds since 1970", hint="send spans as OpenTelemetry does")
    code = content.get("status", {}).get("code", 0)
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent if parent.strip("0") else None,
        name=content.get("name", ""),
        kind=str(attributes_of(content).get("mlflow.spanType") or "UNKNOWN"),
        status={1: "OK", 2: "ERROR"}.get(code, "UNSET"),
        start_ns=start,
        end_ns=end or None,
        content=content,
    )


def _tags_of(root: Span) -> dict[str, str]:
    own = attributes_of(root.content)
    return {key.removeprefix(_TAG_PREFIX): str(value) for key, value in own.items() if key.startswith(_TAG_PREFIX)}


def _plain(value: Json) -> Any:
    if "array_value" in value:
        return [_plain(each) for each in value["array_value"].get("values", [])]
    if "kvlist_value" in value:
        return {each.get("key", ""): _plain(each.get("value", {})) for each in value["kvlist_value"].get("values", [])}
    return next(iter(value.values()), None)


def _preview(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _PREVIEW else text[: _PREVIEW - 3] + "..."


def _time(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=nanoseconds // 1_000_000)
