"""Logged models."""

from typing import Any
from uuid import uuid4

from homeostat.core.ports.store import Transaction
from homeostat.core.queries import Order
from homeostat.core.records.tracking import LoggedModelStatus
from homeostat.track import limits, logged_models
from homeostat.track.search.logged_models import logged_models_query
from homeostat.track.search.pages import next_token, offset_of
from homeostat.web.mlflow_api.call import Call, as_text
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint, Read, Write
from homeostat.web.mlflow_api.endpoints.registered_models import changed, limit_of
from homeostat.web.mlflow_api.errors import invalid
from homeostat.web.mlflow_api.registry_wire import STATUS_WORDS, logged_model_json

Json = dict[str, Any]
MOST_RESULTS, USUAL_RESULTS = 1000, 100
_PAIR = {"key": "depth", "value": "6"}
_SEARCH = {
    "experiment_ids": ["0"],
    "filter": "metrics.rmse < 3",
    "order_by": [{"field_name": "metrics.rmse", "ascending": True}],
    "datasets": [{"dataset_name": "rows"}],
}
_STATUS = {word: status for status, word in STATUS_WORDS.items()}
_NUMBERS = dict(enumerate((None, LoggedModelStatus.PENDING, LoggedModelStatus.READY, LoggedModelStatus.FAILED)))


def create(call: Call, desk: Desk) -> Write:
    experiment_id, name = call.text("experiment_id"), call.text_or_none("name") or ""
    model_type, source_run_id = call.text_or_none("model_type") or "", call.text_or_none("source_run_id") or ""
    if source_run_id:
        limits.check_run_id(source_run_id)
    params, tags = _pairs(call, "params"), _pairs(call, "tags")
    model_id = f"m-{uuid4().hex}"

    def work(tx: Transaction) -> Json:
        made = logged_models.create(
            tx,
            model_id=model_id,
            experiment_id=experiment_id,
            name=name or f"model-{model_id[2:10]}",
            actor=desk.actor,
            now=desk.clock.now(),
            model_type=model_type,
            source_run_id=source_run_id,
            params=params,
            tags=tags,
        )
        return {"model": logged_model_json(made)}

    return Write(work)


def get(call: Call, _desk: Desk) -> Read:
    model_id, allow_deleted = call.params["model_id"], call.flag("allow_deleted")
    return Read(lambda tx: _told(logged_models.get(tx, model_id, allow_deleted=allow_deleted)))


def finalize(call: Call, desk: Desk) -> Write:
    model_id, status = call.params["model_id"], _status(call)

    def work(tx: Transaction) -> Json:
        return _told(logged_models.finalize(tx, model_id, status, actor=desk.actor, now=desk.clock.now()))

    return Write(work)


def delete(call: Call, desk: Desk) -> Write:
    model_id = call.params["model_id"]
    return changed(lambda tx: logged_models.delete(tx, model_id, actor=desk.actor, now=desk.clock.now()))


def set_tags(call: Call, _desk: Desk) -> Write:
    model_id, tags = call.params["model_id"], _pairs(call, "tags")
    return Write(lambda tx: _told(logged_models.set_tags(tx, model_id, tags)))


def delete_tag(call: Call, _desk: Desk) -> Write:
    model_id, key = call.params["model_id"], call.params["tag_key"]
    return changed(lambda tx: logged_models.delete_tag(tx, model_id, key))


def log_params(call: Call, _desk: Desk) -> Write:
    model_id, params = call.params["model_id"], _pairs(call, "params")
    return changed(lambda tx: logged_models.log_params(tx, model_id, params))


def log_model(call: Call, _desk: Desk) -> Write:
    """Older clients describe the model that a run logged in a tag of the run, one after the other."""
    run_id, text = call.text("run_id"), call.text("model_json")
    return changed(lambda tx: logged_models.note_on_run(tx, run_id, text))


def search(call: Call, _desk: Desk) -> Read:
    limit = limit_of(call, usual=USUAL_RESULTS, most=MOST_RESULTS)
    offset = offset_of(call.text_or_none("page_token"))
    experiment_ids = call.texts("experiment_ids")
    if not experiment_ids:
        raise invalid("Missing value for required parameter 'experiment_ids'.")
    query = logged_models_query(
        call.text_or_none("filter"),
        experiment_ids=experiment_ids,
        datasets=[_dataset(each) for each in call.items("datasets")],
        order=[_order(each) for each in call.items("order_by")],
        limit=limit + 1,
        offset=offset,
    )

    def work(tx: Transaction) -> Json:
        found = tx.logged_models.search(query)
        answer: Json = {"models": [logged_model_json(model) for model in found[:limit]]}
        if len(found) > limit:
            answer["next_page_token"] = next_token(offset + limit)
        return answer

    return Read(work)


def _told(model: Any) -> Json:
    return {"model": logged_model_json(model)}


def _pairs(call: Call, name: str) -> dict[str, str]:
    return {as_text(each.get("key"), name): as_text(each.get("value", ""), name) for each in call.items(name)}


def _status(call: Call) -> LoggedModelStatus:
    """Clients send the word or its number."""
    found = call.fields.get("status")
    status = _STATUS.get(found) if isinstance(found, str) else _NUMBERS.get(found) if type(found) is int else None
    if status is None:
        raise invalid(f"Invalid value {str(found)[:100]!r} for parameter 'status': one of {', '.join(_STATUS)}.")
    return status


def _dataset(found: Json) -> tuple[str, str]:
    name = as_text(found.get("dataset_name") or "", "datasets")
    if not name:
        raise invalid("`dataset_name` in the `datasets` clause must be specified.")
    return name, as_text(found.get("dataset_digest") or "", "datasets")


def _order(found: Json) -> Order:
    is_ascending = found.get("ascending", True)
    return Order(
        key=as_text(found.get("field_name"), "order_by"),
        is_ascending=is_ascending is not False,
        dataset_name=as_text(found.get("dataset_name") or "", "order_by"),
        dataset_digest=as_text(found.get("dataset_digest") or "", "order_by"),
    )


ENDPOINTS = (
    Endpoint("POST", "logged-models", create, examples={"params": [_PAIR], "tags": [_PAIR]}),
    Endpoint("POST", "logged-models/search", search, examples=_SEARCH),
    Endpoint("GET", "logged-models/{model_id}", get),
    Endpoint("PATCH", "logged-models/{model_id}", finalize, examples={"status": "LOGGED_MODEL_READY"}),
    Endpoint("DELETE", "logged-models/{model_id}", delete),
    Endpoint("PATCH", "logged-models/{model_id}/tags", set_tags, examples={"tags": [_PAIR]}),
    Endpoint("DELETE", "logged-models/{model_id}/tags/{tag_key:path}", delete_tag),
    Endpoint("POST", "logged-models/{model_id}/params", log_params, examples={"params": [_PAIR]}),
    Endpoint("POST", "runs/log-model", log_model),
)
