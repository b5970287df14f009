"""Metrics: logged one by one and in batches, and their histories."""

from itertools import chain
from typing import Annotated, Any

import msgspec
from starlette.responses import Response

from homeostat.core.ports.store import Transaction
from homeostat.core.records.tracking import LoggedModelMetric, Point
from homeostat.track import client_runs, limits
from homeostat.track.sampling import evenly
from homeostat.web.mlflow_api import wire
from homeostat.web.mlflow_api.call import Call, as_integer, as_number, as_text, check_content_type, missing
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint, Read, Reply, Write
from homeostat.web.mlflow_api.errors import invalid
from homeostat.web.mlflow_api.spool import spooled

Json = dict[str, Any]
_MOST_BATCH_BYTES = 1_000_000
_HISTORY_PAGE = 25_000
_MOST_RUNS = 100
_INT64 = 2**63
_MOST_SAMPLED = 2500
_OF_MODELS = ("model_id", "dataset_name", "dataset_digest")
_BATCH = {
    "metrics": [{"key": "rmse", "value": 2.5, "timestamp": 1_700_000_000_000, "step": 1}],
    "params": [{"key": "depth", "value": "6"}],
    "tags": [{"key": "team", "value": "pricing"}],
}


def log_metric(call: Call, _desk: Desk) -> Write:
    run_id = call.text("run_id", "run_uuid")
    limits.check_run_id(run_id)
    value = call.number("value") if call.has("value") else None
    key = call.text("key")
    if value is None:
        raise missing("value")
    point = Point(key, value, call.integer("timestamp"), call.integer_or_none("step") or 0)
    limits.check_points([point], one=True)
    of_model = _of_model(run_id, point, call.fields) if call.has("model_id") else None

    def work(tx: Transaction) -> Json:
        client_runs.log(tx, run_id, points=[point])
        if of_model is not None:
            tx.logged_models.log_metrics([of_model])
        return {}

    return Write(work)


class _Metric(msgspec.Struct):
    """A metric as clients send it."""

    key: Annotated[str, msgspec.Meta(min_length=1)]
    value: float
    timestamp: int
    step: int = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class _Batch(msgspec.Struct):
    run_id: Annotated[str, msgspec.Meta(min_length=1)]
    metrics: list[_Metric] = msgspec.field(default_factory=list)
    params: list[Json] = msgspec.field(default_factory=list)
    tags: list[Json] = msgspec.field(default_factory=list)


_batch = msgspec.json.Decoder(_Batch).decode


def log_batch(call: Call, _desk: Desk) -> Write:
    run_id, points, given_params, given_tags, of_models = _read_fast(call) or _read_batch(call)
    limits.check_run_id(run_id)
    limits.check_batch(metrics=len(points), params=len(given_params), tags=len(given_tags))
    params = limits.check_params(wire.of_pairs(given_params, "params"))
    tags = limits.check_tags(wire.of_pairs(given_tags, "tags"))
    limits.check_points(points)

    def work(tx: Transaction) -> Json:
        client_runs.log(tx, run_id, points=points, params=params, tags=tags)
        if of_models:
            tx.logged_models.log_metrics(of_models)
        return {}

    return Write(work)


_Read = tuple[str, list[Point], list[Json], list[Json], list[LoggedModelMetric]]


def _read_fast(call: Call) -> _Read | None:
    """Return what a batch in the usual form says, decoded in one go; None where something in it is unusual, or wrong."""
    check_content_type(call.headers)
    try:
        found = _batch(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if any(not -_INT64 <= one.step < _INT64 > one.timestamp for one in found.metrics):
        return None
    points = [Point(one.key, one.value, one.timestamp, one.step) for one in found.metrics]
    of_models = [
        _of_model(found.run_id, point, msgspec.structs.asdict(one))
        for point, one in zip(points, found.metrics, strict=True)
        if one.model_id
    ]
    return found.run_id, points, found.params, found.tags, of_models


def _read_batch(call: Call) -> _Read:
    """Return what a batch says in any form, or raise the 400 that names the place that is wrong."""
    run_id, items = call.text("run_id", "run_uuid"), call.items("metrics")
    points = [_point(item, index) for index, item in enumerate(items)]
    of_models = [
        _of_model(run_id, point, item) for point, item in zip(points, items, strict=True) if item.get("model_id")
    ]
    return run_id, points, call.items("params"), call.items("tags"), of_models


def _point(item: Json, index: int) -> Point:
    for name in ("key", "value", "timestamp"):
        if item.get(name) in (None, ""):
            raise missing(f"metrics[{index}].{name}")
    return Point(
        as_text(item["key"], f"metrics[{index}].key"),
        as_number(item["value"], f"metrics[{index}].value"),
        as_integer(item["timestamp"], f"metrics[{index}].timestamp"),
        as_integer(item.get("step") or 0, f"metrics[{index}].step"),
    )


def _of_model(run_id: str, point: Point, item: Json) -> LoggedModelMetric:
    model_id, name, digest = (as_text(item.get(field) or "", field) for field in _OF_MODELS)
    return LoggedModelMetric(
        model_id=model_id,
        run_id=run_id,
        key=point.key,
        value=point.value,
        time=wire.of_ms(point.time_ms, "timestamp"),
        step=point.step,
        dataset_name=name,
        dataset_digest=digest,
    )


def history(call: Call, _desk: Desk) -> Read:
    run_id, key = call.text("run_id", "run_uuid"), call.text("metric_key")
    limit = call.integer_or_none("max_results")
    offset = wire.offset_of(call.text_or_none("page_token"))
    if limit is not None and limit <= 0:
        raise invalid(f"Invalid value {limit} for parameter 'max_results' supplied. It must be a positive integer.")
    limit = None if limit is None else min(limit, _HISTORY_PAGE)

    def work(tx: Transaction) -> Json | Reply | Response:
        tx.runs.head(run_id)
        if limit is None and not offset:
            return spooled("metrics", ([wire.metric(p) for p in piece] for piece in tx.runs.pieces(run_id, key)))
        found = tx.runs.points(run_id, key, offset=offset, limit=None if limit is None else limit + 1)
        return wire.paged("metrics", [wire.metric(p) for p in found], limit=limit or len(found), offset=offset)

    return Read(work)


def history_bulk(call: Call, _desk: Desk) -> Read:
    """The points of one metric of several runs, run by run; what browsers draw charts of."""
    run_ids, key = call.texts("run_id"), call.text_or_none("metric_key")
    if not run_ids:
        raise invalid("GetMetricHistoryBulk request must specify at least one run_id.")
    if len(run_ids) > _MOST_RUNS:
        raise invalid(
            f"GetMetricHistoryBulk request cannot specify more than {_MOST_RUNS} run_ids. Received {len(run_ids)} run_ids."
        )
    if key is None:
        raise invalid("GetMetricHistoryBulk request must specify a metric_key.")
    most = min(max(call.integer_or_none("max_results") or _HISTORY_PAGE, 1), _HISTORY_PAGE)

    def work(tx: Transaction) -> Json:
        out: list[Json] = []
        for run_id in sorted(set(run_ids)):
            tx.runs.head(run_id)
            found = tx.runs.points(run_id, key, limit=most - len(out)) if len(out) < most else []
            out += [{**wire.metric(point), "run_id": run_id} for point in found]
        return {"metrics": out}

    return Read(work)


def history_bulk_interval(call: Call, _desk: Desk) -> Read:
    """At most `max_results` points of each run, evenly chosen, the first and the last among them."""
    run_ids = call.texts("run_ids")
    if not run_ids:
        raise missing("run_ids")
    key = call.text("metric_key")
    if len(run_ids) > _MOST_RUNS:
        raise invalid(
            f"GetMetricHistoryBulkInterval request must specify at most {_MOST_RUNS} run_ids. Received {len(run_ids)} run_ids."
        )
    most = call.integer_or_none("max_results")
    if most is not None and not 1 <= most <= _MOST_SAMPLED:
        raise invalid(f"max_results must be between 1 and {_MOST_SAMPLED}.")
    first, last = call.integer_or_none("start_step"), call.integer_or_none("end_step")
    if (first is None) != (last is None):
        raise invalid("If either start step or end step are specified, both must be specified.")
    if first is not None and last is not None and first > last:
        raise invalid(f"end_step must be greater than start_step. Found start_step={first} and end_step={last}.")
    steps = None if first is None or last is None else (first, last)

    def work(tx: Transaction) -> Json:
        out: list[Json] = []
        for run_id in run_ids:
            tx.runs.head(run_id)
            count = tx.runs.count_points(run_id, key, steps=steps)
            found = chain.from_iterable(tx.runs.pieces(run_id, key, steps=steps, by_step=True))
            out += [{**wire.metric(point), "run_id": run_id} for point in evenly(found, count, most or _MOST_SAMPLED)]
        return {"metrics": out} if out else {}

    return Read(work)


ENDPOINTS = (
    Endpoint("POST", "runs/log-metric", log_metric),
    Endpoint("POST", "runs/log-batch", log_batch, body_limit=_MOST_BATCH_BYTES, examples=_BATCH),
    Endpoint("GET", "metrics/get-history", history),
    Endpoint("GET", "metrics/get-history-bulk", history_bulk, examples={"run_id": ["0" * 32], "metric_key": "rmse"}),
    Endpoint("GET", "metrics/get-history-bulk-interval", history_bulk_interval, examples={"run_ids": ["0" * 32]}),
)
