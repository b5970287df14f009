"""Registered models and their aliases."""

from collections.abc import Callable
from typing import Any

from homeostat.core.ports.store import Transaction
from homeostat.registry import aliases, clients, names
from homeostat.registry.search import models_query
from homeostat.registry.sources import by_alias
from homeostat.track.search.pages import next_token, offset_of
from homeostat.web.mlflow_api.call import Call, as_integer, as_text
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint, Read, Write
from homeostat.web.mlflow_api.errors import invalid
from homeostat.web.mlflow_api.registry_wire import (
    model_json,
    models_json,
    version_with_aliases,
    versions_with_aliases,
)

Json = dict[str, Any]
MOST_RESULTS, USUAL_RESULTS = 1000, 100


def create(call: Call, desk: Desk) -> Write:
    name, tags, description = call.text("name"), tags_of(call), call.text_or_none("description") or ""

    def work(tx: Transaction) -> Json:
        now = desk.clock.now()
        made = names.create(tx, name, actor=desk.actor, now=now, description=description, tags=tags)
        return {"registered_model": model_json(tx, made)}

    return Write(work)


def get(call: Call, _desk: Desk) -> Read:
    name = call.text("name")
    names.check_name(name)
    return Read(lambda tx: {"registered_model": model_json(tx, names.get(tx, name))})


def update(call: Call, desk: Desk) -> Write:
    name, description = call.text("name"), call.text_or_none("description") or ""

    def work(tx: Transaction) -> Json:
        changed = names.describe(tx, name, description=description, actor=desk.actor, now=desk.clock.now())
        return {"registered_model": model_json(tx, changed)}

    return Write(work)


def rename(call: Call, desk: Desk) -> Write:
    name, new = call.text("name"), call.text("new_name")

    def work(tx: Transaction) -> Json:
        now = desk.clock.now()
        changed = names.rename(tx, name, new=new, actor=desk.actor, now=now, project=project_model(desk))
        return {"registered_model": model_json(tx, changed)}

    return Write(work)


def delete(call: Call, desk: Desk) -> Write:
    name = call.text("name")
    return changed(lambda tx: names.delete(tx, name, actor=desk.actor, now=desk.clock.now()))


def search(call: Call, _desk: Desk) -> Read:
    limit = limit_of(call, usual=USUAL_RESULTS, most=MOST_RESULTS)
    offset = offset_of(call.text_or_none("page_token"))
    query = models_query(call.text_or_none("filter"), order_by=call.texts("order_by"), limit=limit + 1, offset=offset)

    def work(tx: Transaction) -> Json:
        found = tx.models.search_models(query)
        answer: Json = {"registered_models": models_json(tx, found[:limit])}
        if len(found) > limit:
            answer["next_page_token"] = next_token(offset + limit)
        return answer

    return Read(work)


def latest_versions(call: Call, _desk: Desk) -> Read:
    name, stages = call.text("name"), call.texts("stages")
    return Read(lambda tx: {"model_versions": versions_with_aliases(tx, clients.latest(tx, name, stages))})


def set_tag(call: Call, desk: Desk) -> Write:
    name, key, value = call.text("name"), call.text("key"), call.text_or_none("value") or ""
    return changed(lambda tx: names.set_tag(tx, name, key, value, actor=desk.actor, now=desk.clock.now()))


def delete_tag(call: Call, desk: Desk) -> Write:
    name, key = call.text("name"), call.text("key")
    return changed(lambda tx: names.delete_tag(tx, name, key, actor=desk.actor, now=desk.clock.now()))


def set_alias(call: Call, desk: Desk) -> Write:
    name, alias, version = call.text("name"), call.text("alias"), version_number(call)

    def work(tx: Transaction) -> None:
        now = desk.clock.now()
        aliases.set_alias(tx, name, alias, version, actor=desk.actor, now=now, project=project_model(desk))

    return changed(work)


def delete_alias(call: Call, desk: Desk) -> Write:
    name, alias = call.text("name"), call.text("alias")

    def work(tx: Transaction) -> None:
        now = desk.clock.now()
        aliases.remove_alias(tx, name, alias, actor=desk.actor, now=now, project=project_model(desk))

    return changed(work)


def version_by_alias(call: Call, _desk: Desk) -> Read:
    name, alias = call.text("name"), call.text("alias")
    names.check_name(name)
    names.check_alias_asked(alias)

    def work(tx: Transaction) -> Json:
        names.get(tx, name)
        return {"model_version": version_with_aliases(tx, by_alias(tx, name, alias))}

    return Read(work)


# -- shared with model_versions


def changed(work: Callable[[Transaction], None]) -> Write:
    """Return a change whose answer is empty."""

    def empty(tx: Transaction) -> Json:
        work(tx)
        return {}

    return Write(empty)


def tags_of(call: Call) -> dict[str, str]:
    """Return the tags of a request; of a key given twice, the last counts."""
    return {as_text(tag.get("key"), "tags"): as_text(tag.get("value", ""), "tags") for tag in call.items("tags")}


def version_number(call: Call) -> int:
    return as_integer(call.text("version"), "version")


def limit_of(call: Call, *, usual: int, most: int) -> int:
    limit = call.integer_or_none("max_results")
    return bounded(usual if limit is None else limit, most=most)


def bounded(limit: int, *, most: int) -> int:
    """Return how many results are asked for; raise the 400 that clients know where that is too many."""
    if limit < 1:
        raise invalid(f"Invalid value for max_results. It must be a positive integer, but got {limit}")
    if limit > most:
        raise invalid(
            f"Invalid value for request parameter max_results. It must be at most {most}, but got value {limit}"
        )
    return limit


def project_model(desk: Desk) -> str | None:
    """Return the model that the loop keeps, None where this server has no project."""
    return None if desk.house is None else desk.house.project.model


ENDPOINTS = (
    Endpoint("POST", "registered-models/create", create, examples={"tags": [{"key": "team", "value": "pricing"}]}),
    Endpoint("GET", "registered-models/get", get),
    Endpoint("PATCH", "registered-models/update", update),
    Endpoint("POST", "registered-models/rename", rename),
    Endpoint("DELETE", "registered-models/delete", delete),
    Endpoint(
        "GET", "registered-models/search", search, examples={"filter": "name LIKE 'c%'", "order_by": ["name ASC"]}
    ),
    Endpoint("POST", "registered-models/get-latest-versions", latest_versions),
    Endpoint("GET", "registered-models/get-latest-versions", latest_versions),
    Endpoint("POST", "registered-models/set-tag", set_tag),
    Endpoint("DELETE", "registered-models/delete-tag", delete_tag),
    Endpoint("POST", "registered-models/alias", set_alias),
    Endpoint("DELETE", "registered-models/alias", delete_alias),
    Endpoint("GET", "registered-models/alias", version_by_alias),
)
