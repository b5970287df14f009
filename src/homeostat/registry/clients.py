"""What clients do with versions: register, describe, tag, stage, delete. Each change and its audit event are in the caller's transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from homeostat.audit.log import record
from homeostat.core.errors import Conflict, InvalidInput
from homeostat.core.ports.store import Transaction
from homeostat.core.records.registry import ModelVersion
from homeostat.core.values import Json
from homeostat.registry import names
from homeostat.registry.declared import Examined
from homeostat.registry.sources import PROMPT_SOURCES, Source, version_of

STAGES = ("None", "Staging", "Production", "Archived")
ACTIVE_STAGES = ("Staging", "Production")
VERSIONS_OF_LOGGED_MODEL = "mlflow.modelVersions"


def create_version(
    tx: Transaction,
    name: str,
    source: Source,
    examined: Examined,
    *,
    actor: str,
    now: datetime,
    description: str = "",
    tags: Mapping[str, str] | None = None,
    run_link: str = "",
) -> ModelVersion:
    """Return the next version of the model, registered by a client from `source`. It gets no traffic: that is the loop's to give."""
    names.check_name(name)
    names.check_tags(tags or {})
    names.check_description(description)
    model = names.get(tx, name)
    copied = source.copied
    version = ModelVersion(
        model=name,
        version=tx.models.next_version(name),
        run_id=source.run_id,
        created=now,
        updated=now,
        location=source.location,
        digests=copied.digests if copied else examined.digests,
        signature=copied.signature if copied else examined.signature,
        lineage={**(copied.lineage if copied else {}), **source.lineage, "run_id": source.run_id},
        description=description,
        tags=dict(tags or {}),
        source=source.source,
        model_id=source.model_id,
        run_link=run_link,
        user=actor,
    )
    tx.models.add(version)
    tx.models.replace_model(replace(model, updated=now))
    if source.model_id and not copied:
        _tell_logged_model(tx, version)
    payload: Json = {
        "run_id": version.run_id,
        "model_id": version.model_id,
        "source": version.source,
        "digests": version.digests,
        "description": description,
        "tags": version.tags,
        "report_id": None,
        "gate_passed": None,
    }
    _note(tx, "registered", version, payload, actor=actor, now=now, is_prompt=names.is_prompt(model))
    return version


def prompt_source(source: str) -> Source:
    """Return the source of a prompt version, which has no files: its text is a tag."""
    if source not in PROMPT_SOURCES:
        raise InvalidInput(f"Invalid prompt source: '{source[:500]}'. Prompt sources must use an MLflow placeholder.")
    return Source(source=source, location="")


def describe(
    tx: Transaction, name: str, version: int, *, description: str | None, actor: str, now: datetime
) -> ModelVersion:
    names.check_description(description or "")
    changed = replace(version_of(tx, name, version), description=description or "", updated=now)
    tx.models.replace(changed)
    _note(tx, "updated", changed, {"description": changed.description}, actor=actor, now=now)
    return changed


def stage(
    tx: Transaction, name: str, version: int, *, stage: str, archive_others: bool, actor: str, now: datetime
) -> ModelVersion:
    """Return the version in its new stage; `archive_others` moves those that were in it to Archived. Stages are labels: they route nothing."""
    wanted = canonical_stage(stage)
    if archive_others and wanted not in ACTIVE_STAGES:
        raise InvalidInput(
            "Model version transition cannot archive existing model versions because "
            f"'{stage}' is not an Active stage. Valid stages are {list(ACTIVE_STAGES)}"
        )
    known = version_of(tx, name, version)
    archived = []
    if archive_others:
        for other in tx.models.versions(name):
            if other.version != version and other.stage == wanted:
                tx.models.replace(replace(other, stage="Archived", updated=now))
                archived.append(other.version)
    changed = replace(known, stage=wanted, updated=now)
    tx.models.replace(changed)
    tx.models.replace_model(replace(names.get(tx, name), updated=now))
    _note(tx, "stage_changed", changed, {"from": known.stage, "to": wanted, "archived": archived}, actor=actor, now=now)
    return changed


def canonical_stage(stage: str) -> str:
    """Return the stage in its own spelling; raise InvalidInput where there is none of that name."""
    found = next((known for known in STAGES if known.lower() == stage.lower()), None)
    if found is None:
        raise InvalidInput(f"Invalid Model Version stage: {stage[:100]}. Value must be one of {', '.join(STAGES)}.")
    return found


def latest(tx: Transaction, name: str, stages: Sequence[str]) -> list[ModelVersion]:
    """Return the newest version of each stage, of those named or of all."""
    names.get(tx, name)
    wanted = {canonical_stage(each) for each in stages or STAGES}
    return [version for version in tx.models.latest([name]) if version.stage in wanted]


def delete(tx: Transaction, name: str, version: int, *, actor: str, now: datetime) -> None:
    """Take a version and its aliases away; raise Conflict while it is in traffic."""
    known = version_of(tx, name, version)
    route = tx.routes.get(name)
    if route is not None and version in route.versions:
        raise Conflict(
            f"{name} version {version} is in traffic and cannot be deleted", hint="promote another version first"
        )
    model = names.get(tx, name)
    tx.models.delete(name, version, now=now)
    tx.models.replace_model(replace(model, updated=now))
    _note(tx, "deleted", known, {}, actor=actor, now=now, is_prompt=names.is_prompt(model))


def set_tag(tx: Transaction, name: str, version: int, key: str, value: str, *, actor: str, now: datetime) -> None:
    names.check_tags({key: value})
    known = version_of(tx, name, version)
    tx.models.set_tag(name, key, value, version=version)
    payload: Json = {"key": key, "value": value}
    _note(tx, "tag_set", known, payload, actor=actor, now=now, is_prompt=names.is_prompt(names.get(tx, name)))


def delete_tag(tx: Transaction, name: str, version: int, key: str, *, actor: str, now: datetime) -> None:
    """Take a tag away; nothing happens where there is none."""
    names.check_key(key)
    known = version_of(tx, name, version)
    if key in known.tags:
        tx.models.set_tag(name, key, None, version=version)
        is_prompt = names.is_prompt(names.get(tx, name))
        _note(tx, "tag_deleted", known, {"key": key}, actor=actor, now=now, is_prompt=is_prompt)


def _tell_logged_model(tx: Transaction, version: ModelVersion) -> None:
    """The logged model names the versions that it became, in a tag that clients read."""
    known = tx.logged_models.get(version.model_id).tags.get(VERSIONS_OF_LOGGED_MODEL, "[]")
    try:
        listed = json.loads(known)
    except ValueError:
        listed = []
    listed = [*(listed if isinstance(listed, list) else []), {"name": version.model, "version": version.version}]
    tx.logged_models.set_tags(version.model_id, {VERSIONS_OF_LOGGED_MODEL: json.dumps(listed)})


def _note(
    tx: Transaction,
    what: str,
    version: ModelVersion,
    payload: Json,
    *,
    actor: str,
    now: datetime,
    is_prompt: bool = False,
) -> None:
    told = {"version": version.version, **payload, **({"is_prompt": True} if is_prompt else {})}
    record(tx, f"model_version.{what}", subject=f"model:{version.model}", actor=actor, time=now, payload=told)
