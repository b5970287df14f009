"""Versions of registered models."""

import asyncio
from typing import Any

from homeostat.core.errors import InvalidInput
from homeostat.core.ports.store import Transaction
from homeostat.registry import clients, names
from homeostat.registry.declared import Examined, examine
from homeostat.registry.search import versions_query
from homeostat.registry.sources import Source, resolve_source, version_of
from homeostat.track import limits
from homeostat.track.artifacts import SCHEME, blob_of_uri, uri_of
from homeostat.track.search.pages import next_token, offset_of
from homeostat.web.mlflow_api.call import Call
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint, Read, Write
from homeostat.web.mlflow_api.endpoints.registered_models import changed, limit_of, tags_of, version_number
from homeostat.web.mlflow_api.registry_wire import version_json, version_with_aliases, versions_with_aliases

Json = dict[str, Any]
MOST_RESULTS, USUAL_RESULTS = 200_000, 10_000
_SOURCE = f"{SCHEME}/0/{'0' * 32}/artifacts/model"
_TAG = {"key": "team", "value": "pricing"}


async def create(call: Call, desk: Desk) -> Write:
    """The package is examined before the change: that reads all of its files."""
    name, text, tags = call.text("name"), call.text("source"), tags_of(call)
    description, run_link = call.text_or_none("description") or "", call.text_or_none("run_link") or ""
    run_id, model_id = call.text_or_none("run_id") or None, call.text_or_none("model_id") or None
    names.check_name(name)
    if run_id is not None:
        limits.check_run_id(run_id)
    known: Source | None = None
    if tags.get(names.IS_PROMPT, "false").lower() == "true":
        known, examined = clients.prompt_source(text), Examined()
    elif text.startswith(
        SCHEME
    ):  # it says itself where its files are; whether it may be named is looked up with the change
        examined = await asyncio.to_thread(_examine, desk, blob_of_uri(text))
    else:
        known, examined = await asyncio.to_thread(_prepare, desk, text, run_id, model_id)

    def work(tx: Transaction) -> Json:
        source = known or resolve_source(tx, text, run_id=run_id, model_id=model_id)
        made = clients.create_version(
            tx,
            name,
            source,
            examined,
            actor=desk.actor,
            now=desk.clock.now(),
            description=description,
            tags=tags,
            run_link=run_link,
        )
        return {"model_version": version_json(made)}

    return Write(work)


def _prepare(desk: Desk, text: str, run_id: str | None, model_id: str | None) -> tuple[Source, Examined]:
    with desk.store.read() as tx:
        source = resolve_source(tx, text, run_id=run_id, model_id=model_id)
    return source, Examined() if source.copied is not None else _examine(desk, source.location)


def _examine(desk: Desk, location: str) -> Examined:
    try:
        return examine(desk.blobs, location)
    except InvalidInput as error:
        return Examined(signature={"declared": {"problem": error.message}})


def get(call: Call, _desk: Desk) -> Read:
    name, version = call.text("name"), version_number(call)
    names.check_name(name)
    return Read(lambda tx: {"model_version": version_with_aliases(tx, version_of(tx, name, version))})


def update(call: Call, desk: Desk) -> Write:
    name, version, description = call.text("name"), version_number(call), call.text_or_none("description")

    def work(tx: Transaction) -> Json:
        now = desk.clock.now()
        made = clients.describe(tx, name, version, description=description, actor=desk.actor, now=now)
        return {"model_version": version_with_aliases(tx, made)}

    return Write(work)


def transition(call: Call, desk: Desk) -> Write:
    name, version, stage = call.text("name"), version_number(call), call.text("stage")
    archive_others = call.flag("archive_existing_versions")

    def work(tx: Transaction) -> Json:
        now = desk.clock.now()
        moved = clients.stage(tx, name, version, stage=stage, archive_others=archive_others, actor=desk.actor, now=now)
        return {"model_version": version_with_aliases(tx, moved)}

    return Write(work)


def delete(call: Call, desk: Desk) -> Write:
    name, version = call.text("name"), version_number(call)
    return changed(lambda tx: clients.delete(tx, name, version, actor=desk.actor, now=desk.clock.now()))


def search(call: Call, _desk: Desk) -> Read:
    limit = limit_of(call, usual=USUAL_RESULTS, most=MOST_RESULTS)
    offset = offset_of(call.text_or_none("page_token"))
    query = versions_query(call.text_or_none("filter"), order_by=call.texts("order_by"), limit=limit + 1, offset=offset)

    def work(tx: Transaction) -> Json:
        found = tx.models.search(query)
        answer: Json = {"model_versions": versions_with_aliases(tx, found[:limit])}
        if len(found) > limit:
            answer["next_page_token"] = next_token(offset + limit)
        return answer

    return Read(work)


def download_uri(call: Call, _desk: Desk) -> Read:
    name, version = call.text("name"), version_number(call)

    def work(tx: Transaction) -> Json:
        found = version_of(tx, name, version)
        return {"artifact_uri": uri_of(found.location) if found.location else found.source}

    return Read(work)


def set_tag(call: Call, desk: Desk) -> Write:
    name, version = call.text("name"), version_number(call)
    key, value = call.text("key"), call.text_or_none("value") or ""
    return changed(lambda tx: clients.set_tag(tx, name, version, key, value, actor=desk.actor, now=desk.clock.now()))


def delete_tag(call: Call, desk: Desk) -> Write:
    name, version, key = call.text("name"), version_number(call), call.text("key")
    return changed(lambda tx: clients.delete_tag(tx, name, version, key, actor=desk.actor, now=desk.clock.now()))


ENDPOINTS = (
    Endpoint("POST", "model-versions/create", create, examples={"source": _SOURCE, "tags": [_TAG]}),
    Endpoint("GET", "model-versions/get", get),
    Endpoint("PATCH", "model-versions/update", update),
    Endpoint("POST", "model-versions/transition-stage", transition, examples={"stage": "Staging"}),
    Endpoint("DELETE", "model-versions/delete", delete),
    Endpoint("GET", "model-versions/search", search, examples={"filter": "name = 'churn'", "order_by": ["name ASC"]}),
    Endpoint("GET", "model-versions/get-download-uri", download_uri),
    Endpoint("POST", "model-versions/set-tag", set_tag),
    Endpoint("DELETE", "model-versions/delete-tag", delete_tag),
)
