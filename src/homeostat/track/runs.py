"""Runs: started, finished, failed. Each change and its audit event are in the caller's transaction."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from homeostat.audit.log import record
from homeostat.core.errors import Conflict
from homeostat.core.ports.store import Transaction
from homeostat.core.records.tracking import Metric, Run, RunStatus
from homeostat.core.values import Json
from homeostat.track.run_traces import trace_run


def artifacts_of(run_id: str) -> str:
    """Return the blob prefix below which a run keeps its files."""
    return f"runs/{run_id}"


def start_run(
    tx: Transaction,
    *,
    run_id: str,
    experiment: str,
    name: str,
    user: str,
    now: datetime,
    facts: Json,
    params: Mapping[str, str],
) -> Run:
    """Return the run under that id, started.

    One that is RUNNING (its process died) or FAILED starts anew, with these facts; one that FINISHED is returned as it is.
    """
    known = tx.runs.find(run_id)
    if known is not None and known.status is RunStatus.FINISHED:
        return known
    if known is None:
        run = Run(
            run_id=run_id,
            experiment_id=tx.runs.experiment(experiment, now=now),
            name=name,
            status=RunStatus.RUNNING,
            started=now,
            user=user,
            artifacts=artifacts_of(run_id),
            params=dict(params),
            facts=facts,
        )
        tx.runs.create(run)
    else:
        run = replace(
            known, status=RunStatus.RUNNING, started=now, ended=None, facts=facts, tags=_without_failure(known)
        )
        tx.runs.update(run)
        tx.runs.log_params(run_id, params)
    payload: Json = {"experiment": experiment, "name": name, "again": known is not None}
    record(tx, "run.started", subject=f"run:{run_id}", actor=user, time=now, payload=payload)
    return tx.runs.get(run_id)


def finish_run(
    tx: Transaction,
    run_id: str,
    *,
    now: datetime,
    metrics: Mapping[str, float],
    params: Mapping[str, str] | None = None,
    facts: Json | None = None,
    tags: Mapping[str, str] | None = None,
) -> Run:
    """Return the run, FINISHED, with these metrics; params, facts and tags are added to those it has. Twice is as once."""
    known = tx.runs.get(run_id)
    if known.status is RunStatus.FINISHED:
        return known
    if known.status is not RunStatus.RUNNING:
        raise Conflict(f"run '{run_id}' is {known.status.value} and cannot finish", hint="start it again")
    ended = replace(
        known,
        status=RunStatus.FINISHED,
        ended=now,
        facts={**known.facts, **(facts or {})},
        tags={**known.tags, **(tags or {})},
    )
    tx.runs.update(ended)
    tx.runs.log_params(run_id, params or {})
    tx.runs.log_metrics(run_id, [Metric(key=key, value=value, time=now) for key, value in metrics.items()])
    record(tx, "run.finished", subject=f"run:{run_id}", actor=known.user, time=now, payload={"metrics": dict(metrics)})
    trace_run(tx, ended)
    return tx.runs.get(run_id)


def fail_run(tx: Transaction, run_id: str, *, now: datetime, reason: str) -> Run:
    """Return the run, FAILED, with the reason under its tag `failure`. One that is not running stays as it is."""
    known = tx.runs.get(run_id)
    if known.status is not RunStatus.RUNNING:
        return known
    failed = replace(known, status=RunStatus.FAILED, ended=now, tags={**known.tags, "failure": reason})
    tx.runs.update(failed)
    record(tx, "run.failed", subject=f"run:{run_id}", actor=known.user, time=now, payload={"reason": reason})
    return failed


def _without_failure(run: Run) -> dict[str, str]:
    return {key: value for key, value in run.tags.items() if key != "failure"}
