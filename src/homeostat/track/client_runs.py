"""Runs as clients log them: opened, filled bit by bit, ended, deleted, restored.

A run's opening, its end and its deletion are audit events, in the caller's transaction. What is logged into it between (metrics,
params, tags) is data, and is not told of one by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from homeostat.audit.log import record
from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.ports.store import Transaction
from homeostat.core.records.tracking import InputDataset, Point, Run, RunStatus
from homeostat.core.values import Json
from homeostat.track import limits
from homeostat.track.artifacts import run_artifacts
from homeostat.track.experiments import active, location_of

NAME_TAG = "mlflow.runName"
_ENDS = {RunStatus.FINISHED: "finished", RunStatus.FAILED: "failed", RunStatus.KILLED: "killed"}


def open_run(
    tx: Transaction,
    *,
    run_id: str,
    experiment_id: str,
    name: str,
    user: str,
    started: datetime,
    tags: Mapping[str, str],
    actor: str,
    now: datetime,
) -> Run:
    """Return a new run of an active experiment, RUNNING."""
    experiment = active(tx, experiment_id)
    run = Run(
        run_id=run_id,
        experiment_id=experiment.experiment_id,
        name=name,
        status=RunStatus.RUNNING,
        started=started,
        user=user,
        artifacts=run_artifacts(location_of(experiment), run_id),
        tags={**tags, NAME_TAG: name},
    )
    tx.runs.create(run)
    _note(
        tx, "started", run_id, actor=actor, now=now, payload={"experiment": experiment.name, "name": name, "user": user}
    )
    return run


def change(
    tx: Transaction,
    run_id: str,
    *,
    status: RunStatus | None,
    ended: datetime | None,
    name: str | None,
    actor: str,
    now: datetime,
) -> Run:
    """Return the run, under a new status, end or name; None leaves them as they are."""
    run = active_run(tx, run_id)
    changed = replace(run, status=status or run.status, ended=ended or run.ended, name=name or run.name)
    if (changed.status, changed.ended) != (run.status, run.ended):
        tx.runs.set_status(run_id, changed.status, ended=changed.ended)
    if name:
        _rename(tx, run, name)
    if changed.status is not run.status and changed.status in _ENDS:
        _note(tx, _ENDS[changed.status], run_id, actor=actor, now=now)
    return changed


def log(
    tx: Transaction,
    run_id: str,
    *,
    points: Sequence[Point] = (),
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Run:
    """Add to an active run what was checked before; return the run's head."""
    run = active_run(tx, run_id)
    if params:
        tx.runs.log_params(run_id, params)
    if points:
        tx.runs.log_points(run_id, run.experiment_id, points)
    if tags:
        if NAME_TAG in tags:
            _rename(tx, run, tags[NAME_TAG])
        tx.runs.set_tags(run_id, tags)
    return run


def delete_tag(tx: Transaction, run_id: str, key: str) -> None:
    """Take a tag away; raise NotFound where there is none."""
    active_run(tx, run_id)
    if not tx.runs.delete_tag(run_id, key):
        raise NotFound(f"No tag with name: {key} in run with id {run_id}")


def delete(tx: Transaction, run_id: str, *, actor: str, now: datetime) -> None:
    """Move the run to the deleted ones. Twice is as once."""
    if tx.runs.head(run_id).lifecycle_stage != "deleted":
        tx.runs.set_stage([run_id], "deleted", now=now)
        _note(tx, "deleted", run_id, actor=actor, now=now)


def restore(tx: Transaction, run_id: str, *, actor: str, now: datetime) -> None:
    """Bring a deleted run back. Twice is as once."""
    if tx.runs.head(run_id).lifecycle_stage != "active":
        tx.runs.set_stage([run_id], "active", now=now)
        _note(tx, "restored", run_id, actor=actor, now=now)


def log_inputs(tx: Transaction, run_id: str, datasets: Sequence[InputDataset], models: Sequence[str]) -> None:
    """Say which data sets and logged models went into the run."""
    run = active_run(tx, run_id)
    tx.runs.log_inputs(run_id, run.experiment_id, datasets)
    tx.runs.log_models(run_id, inputs=models)


def log_outputs(tx: Transaction, run_id: str, models: Sequence[tuple[str, int]]) -> None:
    """Say which logged models came out of the run, each with the step that it was saved at."""
    active_run(tx, run_id)
    tx.runs.log_models(run_id, outputs=models)


def active_run(tx: Transaction, run_id: str) -> Run:
    """Return the head of a run that is not deleted; raise InvalidInput where it is."""
    run = tx.runs.head(run_id)
    if run.lifecycle_stage != "active":
        raise InvalidInput(f"The run {run_id} must be in the 'active' state. Current state is {run.lifecycle_stage}.")
    return run


def chosen_name(name: str, tags: Mapping[str, str]) -> str:
    """Return the name that the argument or the tag gives, empty where neither does; raise InvalidInput where they differ."""
    tagged = tags.get(NAME_TAG, "")
    if name and tagged and name != tagged:
        raise InvalidInput(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
            f"(run_name='{name}', mlflow.runName='{tagged}')."
        )
    limits.check_length("run_name", name or tagged, limits.MOST_RUN_NAME)
    return name or tagged


def _rename(tx: Transaction, run: Run, name: str) -> None:
    tx.runs.rename(run.run_id, name)
    tx.runs.set_tags(run.run_id, {NAME_TAG: name})


def _note(tx: Transaction, verb: str, run_id: str, *, actor: str, now: datetime, payload: Json | None = None) -> None:
    record(tx, f"run.{verb}", subject=f"run:{run_id}", actor=actor, time=now, payload=payload)
