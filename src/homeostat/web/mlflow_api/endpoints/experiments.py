"""Experiments: made, found, renamed, tagged, deleted, restored."""

from typing import Any

from homeostat.core.ports.store import Transaction
from homeostat.core.queries import ExperimentQuery
from homeostat.track import experiments
from homeostat.track.search import parse_filter, parse_order
from homeostat.track.search.languages import EXPERIMENTS
from homeostat.web.mlflow_api import wire
from homeostat.web.mlflow_api.call import Call
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint, Read, Write
from homeostat.web.mlflow_api.errors import does_not_exist, invalid

Json = dict[str, Any]
_MOST_RESULTS = 50_000
_MOST_EXPERIMENTS = 20
_MOST_DATASETS = 1000
_SEARCH = {"max_results": 100, "filter": "name LIKE 'churn%'", "order_by": ["last_update_time DESC"]}


def create(call: Call, desk: Desk) -> Write:
    name, now = call.text("name"), desk.clock.now()
    artifacts = call.text_or_none("artifact_location") or ""
    tags = dict(wire.of_pairs(call.items("tags"), "tags"))

    def work(tx: Transaction) -> Json:
        made = experiments.create(tx, name, artifacts=artifacts, tags=tags, actor=desk.actor, now=now)
        return {"experiment_id": made}

    return Write(work)


def get(call: Call, _desk: Desk) -> Read:
    experiment_id = call.text("experiment_id")
    return Read(lambda tx: {"experiment": wire.experiment(tx.experiments.get(experiment_id))})


def get_by_name(call: Call, _desk: Desk) -> Read:
    name = call.text("experiment_name")

    def work(tx: Transaction) -> Json:
        found = tx.experiments.by_name(name)
        if found is None:
            raise does_not_exist(f"Could not find experiment with name '{name}'")
        return {"experiment": wire.experiment(found)}

    return Read(work)


def search(call: Call, _desk: Desk) -> Read:
    limit, offset = wire.page(call, default=None, most=_MOST_RESULTS)
    query = ExperimentQuery(
        conditions=parse_filter(call.text_or_none("filter") or "", EXPERIMENTS),
        order=parse_order(call.texts("order_by"), EXPERIMENTS),
        stages=wire.stages(call, "view_type"),
        limit=limit + 1,
        offset=offset,
    )

    def work(tx: Transaction) -> Json:
        found = [wire.experiment(one) for one in tx.experiments.search(query)]
        return wire.paged("experiments", found, limit=limit, offset=offset)

    return Read(work)


def update(call: Call, desk: Desk) -> Write:
    experiment_id, name, now = call.text("experiment_id"), call.text("new_name"), desk.clock.now()
    return _done(lambda tx: experiments.rename(tx, experiment_id, name, actor=desk.actor, now=now))


def delete(call: Call, desk: Desk) -> Write:
    experiment_id, now = call.text("experiment_id"), desk.clock.now()
    return _done(lambda tx: experiments.delete(tx, experiment_id, actor=desk.actor, now=now))


def restore(call: Call, desk: Desk) -> Write:
    experiment_id, now = call.text("experiment_id"), desk.clock.now()
    return _done(lambda tx: experiments.restore(tx, experiment_id, actor=desk.actor, now=now))


def set_tag(call: Call, _desk: Desk) -> Write:
    experiment_id, key, value = call.text("experiment_id"), call.text("key"), call.text_or_none("value") or ""
    return _done(lambda tx: experiments.set_tag(tx, experiment_id, key, value))


def delete_tag(call: Call, _desk: Desk) -> Write:
    experiment_id, key = call.text("experiment_id"), call.text("key")
    return _done(lambda tx: experiments.delete_tag(tx, experiment_id, key))


def search_datasets(call: Call, _desk: Desk) -> Read:
    ids = call.texts("experiment_ids")
    if not ids:
        raise invalid("SearchDatasets request must specify at least one experiment_id.")
    if len(ids) > _MOST_EXPERIMENTS:
        raise invalid(
            f"SearchDatasets request cannot specify more than {_MOST_EXPERIMENTS} experiment_ids. Received {len(ids)} experiment_ids."
        )

    def work(tx: Transaction) -> Json:
        found = [
            {"experiment_id": experiment, "name": name, "digest": digest, **({"context": context} if context else {})}
            for experiment, name, digest, context in tx.runs.input_datasets(ids, limit=_MOST_DATASETS)
        ]
        return {"dataset_summaries": found} if found else {}

    return Read(work)


def _done(change: Any) -> Write:
    def work(tx: Transaction) -> Json:
        change(tx)
        return {}

    return Write(work)


ENDPOINTS = (
    Endpoint("POST", "experiments/create", create),
    Endpoint("GET", "experiments/get", get),
    Endpoint("GET", "experiments/get-by-name", get_by_name),
    Endpoint("POST", "experiments/search", search, examples=_SEARCH),
    Endpoint("GET", "experiments/search", search, examples=_SEARCH),
    Endpoint("POST", "experiments/update", update),
    Endpoint("POST", "experiments/delete", delete),
    Endpoint("POST", "experiments/restore", restore),
    Endpoint("POST", "experiments/set-experiment-tag", set_tag),
    Endpoint("POST", "experiments/delete-experiment-tag", delete_tag),
    Endpoint("POST", "experiments/search-datasets", search_datasets, examples={"experiment_ids": ["0"]}),
)
