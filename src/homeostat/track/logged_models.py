"""Logged models: what a run left, with params, metrics and files of its own. Each change and its audit event are in the caller's transaction."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from homeostat.audit.log import record
from homeostat.core.errors import Conflict, InvalidInput, NotFound
from homeostat.core.ports.store import Transaction
from homeostat.core.records.tracking import LoggedModel, LoggedModelStatus
from homeostat.core.values import Json
from homeostat.track.artifacts import blob_at, experiment_location, logged_model_artifacts

MOST_NAME, MOST_KEY, MOST_PARAM, MOST_TAG = 500, 250, 6000, 8000
MOST_HISTORY = 1_000_000
_HISTORY = "mlflow.log-model.history"
_BAD = ("/", ":", ".", "%", '"', "'")


def create(
    tx: Transaction,
    *,
    model_id: str,
    experiment_id: str,
    name: str,
    actor: str,
    now: datetime,
    model_type: str = "",
    source_run_id: str = "",
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> LoggedModel:
    """Return the model, PENDING until its files have come. Raises NotFound where the experiment is not there, Conflict where it is deleted."""
    check_name(name)
    check_pairs("param", params or {}, most=MOST_PARAM)
    check_pairs("tag", tags or {}, most=MOST_TAG)
    experiment = tx.experiments.get(experiment_id)
    if experiment.lifecycle_stage != "active":
        raise Conflict(
            f"The experiment {experiment_id} must be in the 'active' state. It is {experiment.lifecycle_stage}."
        )
    location = experiment.artifacts or experiment_location(experiment.experiment_id)
    model = LoggedModel(
        model_id=model_id,
        experiment_id=experiment.experiment_id,
        name=name,
        created=now,
        updated=now,
        artifacts=blob_at(logged_model_artifacts(location, model_id)),
        model_type=model_type,
        source_run_id=source_run_id,
        params=dict(params or {}),
        tags=dict(tags or {}),
    )
    tx.logged_models.add(model)
    _note(
        tx,
        "created",
        model,
        {"name": name, "experiment_id": model.experiment_id, "run_id": source_run_id},
        actor=actor,
        now=now,
    )
    return model


def get(tx: Transaction, model_id: str, *, allow_deleted: bool = False) -> LoggedModel:
    """Return the model; raise NotFound in the words that clients know."""
    try:
        return tx.logged_models.get(model_id, allow_deleted=allow_deleted)
    except NotFound as error:
        raise NotFound(f"Logged model with ID '{model_id[:100]}' not found.") from error


def finalize(tx: Transaction, model_id: str, status: LoggedModelStatus, *, actor: str, now: datetime) -> LoggedModel:
    """Return the model, READY or FAILED."""
    changed = replace(get(tx, model_id), status=status, updated=now)
    tx.logged_models.update(changed)
    _note(tx, "finalized", changed, {"status": status.value}, actor=actor, now=now)
    return changed


def delete(tx: Transaction, model_id: str, *, actor: str, now: datetime) -> None:
    """Take the model out of sight; `homeostat gc` frees its files."""
    changed = replace(get(tx, model_id), lifecycle_stage="deleted", updated=now)
    tx.logged_models.update(changed)
    _note(tx, "deleted", changed, {}, actor=actor, now=now)


def set_tags(tx: Transaction, model_id: str, tags: Mapping[str, str]) -> LoggedModel:
    check_pairs("tag", tags, most=MOST_TAG)
    get(tx, model_id)
    tx.logged_models.set_tags(model_id, tags)
    return get(tx, model_id)


def delete_tag(tx: Transaction, model_id: str, key: str) -> None:
    if key not in get(tx, model_id).tags:
        raise NotFound(f"No tag with key '{key[:300]}' found for model with ID '{model_id}'.")
    tx.logged_models.delete_tag(model_id, key)


def log_params(tx: Transaction, model_id: str, params: Mapping[str, str]) -> None:
    check_pairs("param", params, most=MOST_PARAM)
    get(tx, model_id)
    tx.logged_models.log_params(model_id, params)


def note_on_run(tx: Transaction, run_id: str, text: str) -> None:
    """Add a model's description to the tag in which a run lists the models that it logged."""
    try:
        described = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"Malformed model info. It is not JSON: {error}") from error
    missing = {"artifact_path", "flavors", "utc_time_created", "run_id"} - set(
        described if isinstance(described, dict) else ()
    )
    if missing:
        raise InvalidInput(f"Model json is missing mandatory fields: {sorted(missing)}")
    (detail,) = tx.runs.details([run_id])
    value = json.dumps([*_listed(detail.run.tags.get(_HISTORY, "[]")), described])
    if len(value) > MOST_HISTORY:
        raise InvalidInput(f"the models of run '{run_id}' no longer fit into its tag '{_HISTORY}'")
    tx.runs.set_tags(run_id, {_HISTORY: value})


def _listed(text: str) -> list[Json]:
    """The models in the tag, which clients can set to anything."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the run's tag '{_HISTORY}' is not JSON: {error}", hint="delete the tag") from error
    if not isinstance(found, list):
        raise InvalidInput(f"the run's tag '{_HISTORY}' is not a list", hint="delete the tag")
    return found


def check_name(name: str) -> None:
    """Refuse what cannot name a logged model."""
    if not name or any(character in name for character in _BAD) or len(name) > MOST_NAME:
        raise InvalidInput(
            f"Invalid model name ({name[:300]!r}) provided. Model name must be a non-empty string "
            f"and cannot contain the following characters: {_BAD}"
        )


def check_pairs(what: str, pairs: Mapping[str, str], *, most: int) -> None:
    """Refuse keys and values that are too long, and keys that are empty."""
    for key, value in pairs.items():
        if not key or len(key) > MOST_KEY:
            raise InvalidInput(f"{what.capitalize()} key '{key[:50]}' must have 1 to {MOST_KEY} characters")
        if len(value) > most:
            raise InvalidInput(f"{what.capitalize()} value of '{key}' exceeds the maximum length of {most} characters")


def _note(tx: Transaction, what: str, model: LoggedModel, payload: Json, *, actor: str, now: datetime) -> None:
    record(tx, f"logged_model.{what}", subject=f"logged_model:{model.model_id}", actor=actor, time=now, payload=payload)
