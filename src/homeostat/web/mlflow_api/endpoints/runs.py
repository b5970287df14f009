"""Runs: opened, ended, tagged, found, deleted, restored."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from starlette.responses import Response

from homeostat.core.ids import timed_id
from homeostat.core.ports.store import Transaction
from homeostat.core.queries import RunQuery
from homeostat.core.records.tracking import RunDetail, RunStatus
from homeostat.track import client_runs, limits
from homeostat.track.run_names import name_of
from homeostat.track.search import parse_filter, parse_order
from homeostat.track.search.languages import RUNS
from homeostat.web.mlflow_api import wire
from homeostat.web.mlflow_api.call import Call, wrong
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint, Read, Reply, Write
from homeostat.web.mlflow_api.spool import spooled

Json = dict[str, Any]
_STATUS = dict(enumerate(RunStatus, start=1)) | {status.value: status for status in RunStatus}
_RESULTS, _MOST_RESULTS = 1000, 50_000
_MOST_EXPERIMENTS = 10_000
_PIECE = 500
_SEARCH = {
    "experiment_ids": ["0"],
    "filter": "metrics.rmse < 3 and params.depth = '6'",
    "order_by": ["metrics.rmse ASC"],
    "run_view_type": "ACTIVE_ONLY",
}


def create(call: Call, desk: Desk) -> Write:
    now = desk.clock.now()
    run_id = timed_id(now, uuid4())
    tags = limits.check_tags(wire.of_pairs(call.items("tags"), "tags"))
    name = client_runs.chosen_name(call.text_or_none("run_name") or "", tags) or name_of(run_id)
    experiment_id = call.text_or_none("experiment_id") or "0"
    user = call.text_or_none("user_id") or ""
    limits.check_length("user_id", user, limits.MOST_KEY)
    start_ms = call.integer_or_none("start_time")
    started = now if start_ms is None else wire.of_ms(start_ms, "start_time")

    def work(tx: Transaction) -> Json:
        made = client_runs.open_run(
            tx,
            run_id=run_id,
            experiment_id=experiment_id,
            name=name,
            user=user,
            started=started,
            tags=tags,
            actor=desk.actor,
            now=now,
        )
        return {"run": wire.run(RunDetail(run=made))}

    return Write(work)


def update(call: Call, desk: Desk) -> Write:
    run_id, now = _run_id(call), desk.clock.now()
    end_ms, name = call.integer_or_none("end_time"), call.text_or_none("run_name")
    ended = None if end_ms is None else wire.of_ms(end_ms, "end_time")
    status = _status(call)
    client_runs.chosen_name(name or "", {})

    def work(tx: Transaction) -> Json:
        changed = client_runs.change(tx, run_id, status=status, ended=ended, name=name, actor=desk.actor, now=now)
        return {"run_info": wire.run_info(changed)}

    return Write(work)


def get(call: Call, _desk: Desk) -> Read:
    run_id = _run_id(call)
    return Read(lambda tx: {"run": wire.run(tx.runs.details([run_id])[0])})


def search(call: Call, _desk: Desk) -> Read:
    limit, offset = wire.page(call, default=_RESULTS, most=_MOST_RESULTS)
    ids = call.texts("experiment_ids")
    if len(ids) > _MOST_EXPERIMENTS:
        raise wrong("experiment_ids", len(ids))
    query = RunQuery(
        experiment_ids=tuple(dict.fromkeys(ids)),
        conditions=parse_filter(call.text_or_none("filter") or "", RUNS),
        order=parse_order(call.texts("order_by"), RUNS),
        stages=wire.stages(call, "run_view_type"),
        limit=limit + 1,
        offset=offset,
    )

    def work(tx: Transaction) -> Reply | Response:
        found = tx.runs.search(query)
        page = [found[start : min(start + _PIECE, limit)] for start in range(0, min(len(found), limit), _PIECE)]
        pieces = ([wire.run(one) for one in tx.runs.details(ids)] for ids in page)
        return spooled("runs", pieces, token=wire.token_of(offset + limit) if len(found) > limit else None)

    return Read(work)


def delete(call: Call, desk: Desk) -> Write:
    run_id, now = _run_id(call), desk.clock.now()
    return _done(lambda tx: client_runs.delete(tx, run_id, actor=desk.actor, now=now))


def restore(call: Call, desk: Desk) -> Write:
    run_id, now = _run_id(call), desk.clock.now()
    return _done(lambda tx: client_runs.restore(tx, run_id, actor=desk.actor, now=now))


def set_tag(call: Call, _desk: Desk) -> Write:
    run_id = _run_id(call)
    tags = limits.check_tags([(call.text("key"), call.text_or_none("value") or "")], one=True)
    return _done(lambda tx: client_runs.log(tx, run_id, tags=tags))


def delete_tag(call: Call, _desk: Desk) -> Write:
    run_id, key = _run_id(call), call.text("key")
    return _done(lambda tx: client_runs.delete_tag(tx, run_id, key))


def log_parameter(call: Call, _desk: Desk) -> Write:
    run_id = _run_id(call)
    params = limits.check_params([(call.text("key"), call.text_or_none("value") or "")], one=True)
    return _done(lambda tx: client_runs.log(tx, run_id, params=params))


def _run_id(call: Call) -> str:
    run_id = call.text("run_id", "run_uuid")
    limits.check_run_id(run_id)
    return run_id


def _status(call: Call) -> RunStatus | None:
    value = call.fields.get("status")
    if value is None:
        return None
    if not isinstance(value, str | int) or value not in _STATUS:
        raise wrong("status", value)
    return _STATUS[value]


def _done(change: Callable[[Transaction], Any]) -> Write:
    def work(tx: Transaction) -> Json:
        change(tx)
        return {}

    return Write(work)


ENDPOINTS = (
    Endpoint("POST", "runs/create", create, examples={"tags": [{"key": "team", "value": "pricing"}]}),
    Endpoint("POST", "runs/update", update, examples={"status": "FINISHED"}),
    Endpoint("GET", "runs/get", get),
    Endpoint("POST", "runs/search", search, examples=_SEARCH),
    Endpoint("POST", "runs/delete", delete),
    Endpoint("POST", "runs/restore", restore),
    Endpoint("POST", "runs/set-tag", set_tag),
    Endpoint("POST", "runs/delete-tag", delete_tag),
    Endpoint("POST", "runs/log-parameter", log_parameter),
)
