"""Traces: begun, sent span by span, ended, read, searched, tagged, linked and deleted."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from homeostat.core.errors import InvalidInput
from homeostat.core.ports.store import Transaction
from homeostat.core.traces import Span, Trace
from homeostat.registry.names import check_name
from homeostat.track import traces
from homeostat.track.trace_search import page_of, query_of
from homeostat.web.mlflow_api import otlp
from homeostat.web.mlflow_api.call import Call, as_integer, as_text, decode
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint, Read, Reply, Write
from homeostat.web.mlflow_api.errors import does_not_exist, invalid
from homeostat.web.mlflow_api.tracing import read_tag, read_trace, trace_id_of, write_trace

Json = dict[str, Any]

_PROTOBUF = "application/x-protobuf"
_WAITS_S = (0.1, 0.4, 1.0, 1.5)
_MOST_IDS = 500
_MOST_UNPACKED = 100_000_000
_MOST_OTLP = 20_000_000
_TRACE_ID = "tr-" + "0" * 32
_TRACE = {
    "trace_info": {
        "trace_id": _TRACE_ID,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}},
        "request_time": "2026-01-02T03:04:05.678Z",
        "execution_duration": "1.250s",
        "state": "OK",
        "tags": {"mlflow.traceName": "answer"},
        "trace_metadata": {"user": "ann"},
    }
}
_SEARCH = {
    "locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}],
    "filter": "trace.status = 'OK'",
    "order_by": ["timestamp_ms DESC"],
}


def start(call: Call, desk: Desk) -> Write:
    given = call.item("trace")
    if given is None:
        call.text("trace")  # raises what a missing one is answered with
    now = desk.clock.now()
    trace = read_trace((given or {}).get("trace_info"), now=now)

    def work(tx: Transaction) -> Json:
        _active(tx, trace.experiment_id)
        return {"trace": {"trace_info": write_trace(traces.put_trace(tx, trace))}}

    return Write(work)


def get_info(call: Call, _desk: Desk) -> Read:
    trace_id = call.params["trace_id"]
    return Read(lambda tx: {"trace": {"trace_info": write_trace(_known(tx, trace_id))}})


async def get(call: Call, desk: Desk) -> Json:
    """A trace whose spans are still on their way is waited for a little. No thread waits with it."""
    trace_id, allow_partial = call.text("trace_id"), call.flag("allow_partial")

    def read() -> Json | None:
        with desk.store.read() as tx:
            trace = _known(tx, trace_id)
            spans = tx.traces.spans([trace_id])[trace_id]
        is_whole = allow_partial or traces.complete(trace, len(spans))
        return {"trace": _whole(trace, spans)} if is_whole else None

    for wait_s in (*_WAITS_S, None):
        if (found := await asyncio.to_thread(read)) is not None:
            return found
        if wait_s is not None:
            await asyncio.sleep(wait_s)
    raise does_not_exist(f"Trace with ID {trace_id} is not fully exported yet, please try again later.")


def get_many(call: Call, _desk: Desk) -> Read:
    """Traces that are not complete, or not kept here, are left out."""
    wanted, within = _ids(call), call.texts("experiment_ids")

    def work(tx: Transaction) -> Json:
        found = [trace for trace in tx.traces.many(wanted) if not within or trace.experiment_id in within]
        spans = tx.traces.spans([trace.trace_id for trace in found])
        whole = [
            _whole(trace, spans[trace.trace_id])
            for trace in found
            if spans[trace.trace_id] and traces.complete(trace, len(spans[trace.trace_id]))
        ]
        return {"traces": whole}

    return Read(work)


def get_many_infos(call: Call, _desk: Desk) -> Read:
    wanted, within = _ids(call), call.texts("experiment_ids")

    def work(tx: Transaction) -> Json:
        found = tx.traces.many(wanted)
        return {"trace_infos": [write_trace(each) for each in found if not within or each.experiment_id in within]}

    return Read(work)


def search(call: Call, _desk: Desk) -> Read:
    experiments = call.texts("experiment_ids")
    for place in call.items("locations"):
        inner = place.get("mlflow_experiment")
        if not isinstance(inner, dict) or not isinstance(inner.get("experiment_id"), str):
            raise invalid("A trace location must be of type MLFLOW_EXPERIMENT.")
        experiments.append(as_text(inner["experiment_id"], "experiment_id"))
    query = query_of(
        experiment_ids=experiments,
        filter_text=call.text_or_none("filter") or "",
        order_by=call.texts("order_by"),
        max_results=call.integer_or_none("max_results"),
        page_token=call.text_or_none("page_token") or "",
    )

    def work(tx: Transaction) -> Json:
        found, token = page_of(tx, query)
        return {"traces": [write_trace(each) for each in found], **({"next_page_token": token} if token else {})}

    return Read(work)


def delete(call: Call, _desk: Desk) -> Write:
    experiment_id = call.text("experiment_id")
    until_ms, limit = call.integer_or_none("max_timestamp_millis"), call.integer_or_none("max_traces")
    trace_ids = [*call.texts("request_ids"), *call.texts("trace_ids")]
    if limit is not None and limit <= 0:
        raise invalid("`max_traces` must be a positive integer.")
    _whole_number(experiment_id)
    until = None if until_ms is None else _time(until_ms)

    def work(tx: Transaction) -> Json:
        count = traces.delete_traces(tx, experiment_id=experiment_id, until=until, limit=limit, trace_ids=trace_ids)
        return {"traces_deleted": count}

    return Write(work)


def set_tag(call: Call, _desk: Desk) -> Write:
    key, value = read_tag(call.text("key"), call.text_or_none("value") or "")
    return Write(lambda tx: traces.set_tag(tx, call.params["trace_id"], key, value), after=_nothing)


def delete_tag(call: Call, _desk: Desk) -> Write:
    key = call.text("key")
    return Write(lambda tx: traces.delete_tag(tx, call.params["trace_id"], key), after=_nothing)


def link_to_run(call: Call, _desk: Desk) -> Write:
    run_id, wanted = call.text("run_id"), call.texts("trace_ids")
    return Write(lambda tx: traces.link_to_run(tx, wanted, run_id), after=_nothing)


def link_prompts(call: Call, _desk: Desk) -> Write:
    trace_id, names = call.text("trace_id"), []
    for each in call.items("prompt_versions"):
        name, version = (as_text(each.get(field), f"prompt_versions.{field}") for field in ("name", "version"))
        check_name(name)
        names.append(f"{name}/{as_integer(version, 'prompt_versions.version')}")
    return Write(lambda tx: traces.link_prompts(tx, trace_id, names), after=_nothing)


# -- OpenTelemetry's own way in


def export(call: Call, _desk: Desk) -> Write:
    """Spans as any OpenTelemetry exporter sends them; the header says for which experiment."""
    experiment_id = call.headers.get("x-mlflow-experiment-id", "")
    if not experiment_id:
        raise invalid("The header 'x-mlflow-experiment-id' must name the experiment that the traces are for.")
    run_id = call.headers.get("x-mlflow-run-id")
    is_json = call.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    groups = _spans(call, is_json=is_json)

    def work(tx: Transaction) -> Reply:
        _active(tx, experiment_id)
        begun: list[str] = []
        for resource, found in groups:
            begun += traces.put_spans(tx, experiment_id, found, resource=resource)
        if run_id and begun:
            for at in range(0, len(begun), traces.MOST_LINKS):
                traces.link_to_run(tx, begun[at : at + traces.MOST_LINKS], run_id)
        if is_json:
            return Reply(b"{}")
        return Reply(b"", headers=((b"content-type", _PROTOBUF.encode()),))

    return Write(work)


def _spans(call: Call, *, is_json: bool) -> list[tuple[dict[str, str], list[Span]]]:
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (_PROTOBUF, "application/json"):
        raise invalid(f"Invalid Content-Type: {kind[:100]}. Expected: {_PROTOBUF} or application/json")
    body = _unpacked(call.body, call.headers.get("content-encoding", "").strip().lower())
    request = otlp.read_json(decode(body)) if is_json else otlp.read_protobuf(body)
    out = []
    for group in request.get("resource_spans", []):
        resource = traces.attributes_of(group.get("resource", {}))
        found = [_span(content) for scope in group.get("scope_spans", []) for content in scope.get("spans", [])]
        out.append(({key: _told(value) for key, value in resource.items()}, found))
    return out


def _told(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _span(content: Json) -> Span:
    from base64 import b64decode

    raw = b64decode(content.get("trace_id", ""))
    if len(raw) != 16:
        raise invalid("Cannot convert OpenTelemetry span: a trace id has 16 bytes.")
    return traces.span_of(f"tr-{raw.hex()}", content)


def _unpacked(body: bytes, encoding: str) -> bytes:
    """The body without its compression, which may not unpack to more than is allowed."""
    import zlib

    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise invalid(f"Unsupported Content-Encoding: {encoding[:100]}")
    for bits in (31,) if encoding == "gzip" else (15, -15):
        unpacker = zlib.decompressobj(bits)
        try:
            out = unpacker.decompress(body, _MOST_UNPACKED)
        except zlib.error:
            continue
        if unpacker.unconsumed_tail:
            raise invalid(f"The request body unpacks to more than {_MOST_UNPACKED} bytes.")
        if unpacker.eof:
            return out
    raise invalid(f"Failed to decompress {encoding} payload")


# -- pieces


def _nothing(_result: object) -> Json:
    return {}


def _whole(trace: Trace, spans: Sequence[str]) -> Json:
    info = write_trace(trace)
    return {"trace_info": info, "spans": [msgspec.Raw(text.encode()) for text in spans]}


def _known(tx: Transaction, trace_id: str) -> Trace:
    found = tx.traces.find(trace_id)
    if found is None:
        raise does_not_exist(f"Trace with ID '{trace_id}' not found.")
    return found


def _ids(call: Call) -> list[str]:
    wanted = call.texts("trace_ids")
    if not wanted:
        call.text("trace_ids")
    if len(wanted) > _MOST_IDS:
        raise invalid(f"At most {_MOST_IDS} traces can be asked for at once, got {len(wanted)}.")
    return [trace_id_of(each) for each in wanted]


def _active(tx: Transaction, experiment_id: str) -> None:
    _whole_number(experiment_id)
    found = tx.experiments.get(experiment_id)
    if found.lifecycle_stage != "active":
        raise invalid(f"The experiment {experiment_id} must be in the 'active' state. Current state is deleted.")


def _whole_number(experiment_id: str) -> None:
    if not experiment_id.isdecimal() or not experiment_id.isascii() or len(experiment_id) > 18:
        raise does_not_exist(f"No Experiment with id={experiment_id[:100]} exists")


def _time(milliseconds: int) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    except OverflowError as error:
        raise InvalidInput(f"{milliseconds} is not a time in milliseconds since 1970") from error


ENDPOINTS = (
    Endpoint("POST", "traces", start, examples={"trace": _TRACE}),
    Endpoint("GET", "traces/get", get),
    Endpoint("GET", "traces/batchGet", get_many, examples={"trace_ids": [_TRACE_ID]}),
    Endpoint("POST", "traces/batchGetInfos", get_many_infos, examples={"trace_ids": [_TRACE_ID]}),
    Endpoint("POST", "traces/search", search, examples=_SEARCH),
    Endpoint("POST", "traces/delete-traces", delete, examples={"trace_ids": [_TRACE_ID]}),
    Endpoint("POST", "traces/link-to-run", link_to_run, examples={"trace_ids": [_TRACE_ID]}),
    Endpoint(
        "POST", "traces/link-prompts", link_prompts, examples={"prompt_versions": [{"name": "hello", "version": "1"}]}
    ),
    Endpoint("GET", "traces/{trace_id}", get_info),
    Endpoint("GET", "traces/{trace_id}/info", get_info),
    Endpoint("PATCH", "traces/{trace_id}/tags", set_tag),
    Endpoint("DELETE", "traces/{trace_id}/tags", delete_tag),
    Endpoint(
        "POST",
        "/v1/traces",
        export,
        body_limit=_MOST_OTLP,
        takes=("application/json", _PROTOBUF),
        examples={"x-mlflow-experiment-id": "0"},
    ),
)
