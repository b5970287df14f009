"""Experiments: made, renamed, deleted, restored. Each change and its audit event are in the caller's transaction."""

from collections.abc import Mapping
from datetime import datetime

from homeostat.audit.log import record
from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.ports.store import Transaction
from homeostat.core.records.tracking import Experiment
from homeostat.core.values import Json
from homeostat.track import limits
from homeostat.track.artifacts import checked_location, experiment_location


def create(tx: Transaction, name: str, *, artifacts: str, tags: Mapping[str, str], actor: str, now: datetime) -> str:
    """Return the id of a new experiment. `artifacts` is the URI that its runs keep their files below; empty: this server's own."""
    limits.check_experiment_name(name)
    limits.check_experiment_tags(tags)
    location = checked_location(artifacts) if artifacts else ""
    experiment_id = tx.experiments.create(name, artifacts=location, tags=tags, now=now)
    _note(tx, "created", experiment_id, actor=actor, now=now, payload={"name": name})
    return experiment_id


def location_of(experiment: Experiment) -> str:
    """Return the address that the experiment's runs and logged models keep their files below."""
    return experiment.artifacts or experiment_location(experiment.experiment_id)


def active(tx: Transaction, experiment_id: str) -> Experiment:
    """Return the experiment; raise InvalidInput where it is deleted, NotFound where it is not there."""
    found = tx.experiments.get(experiment_id)
    if found.lifecycle_stage != "active":
        raise InvalidInput(
            f"The experiment {experiment_id} must be in the 'active' state. Current state is {found.lifecycle_stage}."
        )
    return found


def rename(tx: Transaction, experiment_id: str, name: str, *, actor: str, now: datetime) -> None:
    limits.check_experiment_name(name)
    known = tx.experiments.get(experiment_id)
    if known.lifecycle_stage != "active":
        raise InvalidInput("Cannot rename a non-active experiment.")
    tx.experiments.rename(experiment_id, name, now=now)
    _note(tx, "renamed", experiment_id, actor=actor, now=now, payload={"from": known.name, "to": name})


def delete(tx: Transaction, experiment_id: str, *, actor: str, now: datetime) -> None:
    """Move the experiment and its runs to the deleted; what is deleted already is not found."""
    _move(tx, experiment_id, "active", "deleted", now)
    _note(tx, "deleted", experiment_id, actor=actor, now=now)


def restore(tx: Transaction, experiment_id: str, *, actor: str, now: datetime) -> None:
    """Bring a deleted experiment back with all its runs; one that is not deleted is not found among the deleted."""
    _move(tx, experiment_id, "deleted", "active", now)
    _note(tx, "restored", experiment_id, actor=actor, now=now)


def set_tag(tx: Transaction, experiment_id: str, key: str, value: str) -> None:
    limits.check_experiment_tags({key: value})
    active(tx, experiment_id)
    tx.experiments.set_tag(experiment_id, key, value)


def delete_tag(tx: Transaction, experiment_id: str, key: str) -> None:
    """Take a tag away; raise NotFound where there is none."""
    active(tx, experiment_id)
    if not tx.experiments.delete_tag(experiment_id, key):
        raise NotFound(f"No tag with name: {key} in experiment with id {experiment_id}")


def _move(tx: Transaction, experiment_id: str, source: str, target: str, now: datetime) -> None:
    if tx.experiments.get(experiment_id).lifecycle_stage != source:
        raise NotFound(f"No {source} Experiment with id={experiment_id} exists")
    tx.experiments.set_stage(experiment_id, target, now=now)
    tx.runs.set_stage(tx.runs.ids(experiment_id), target, now=now)


def _note(
    tx: Transaction, verb: str, experiment_id: str, *, actor: str, now: datetime, payload: Json | None = None
) -> None:
    record(tx, f"experiment.{verb}", subject=f"experiment:{experiment_id}", actor=actor, time=now, payload=payload)
