"""Making and judging candidates by command: what `homeostat train` and `homeostat check` do."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from homeostat.app.checking import check_names
from homeostat.app.environments import interpreters
from homeostat.app.wiring import House
from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.records.data import DatasetVersion
from homeostat.core.records.registry import GateReport, ModelVersion
from homeostat.core.records.tracking import Run, RunStatus
from homeostat.train.settings import TrainSettings

if TYPE_CHECKING:
    from homeostat.retrain.workshop import Workshop
    from homeostat.train.reproduce import Reproduction


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What came of a training: the run, what the gate said, and the version where it passed."""

    data: DatasetVersion
    run: Run
    report: GateReport
    version: ModelVersion | None


def workshop(house: House, *, actor: str | None = None) -> "Workshop":
    """Return the place where candidates of the project's model are made; its gate loads them in a real server."""
    from homeostat.retrain.workshop import Workshop
    from homeostat.serve.probe import ServerProbe

    interpreter_of = interpreters(house.place)
    return Workshop(
        project=house.project,
        store=house.store,
        tables=house.tables,
        blobs=house.blobs,
        clock=house.clock,
        probe=ServerProbe(interpreter_of=interpreter_of),
        root=house.root,
        workdir=house.workdir,
        actor=actor or house.actor,
        interpreter_of=interpreter_of,
    )


def settings_with(house: House, function: str | None) -> TrainSettings:
    """Return the project's training settings, with another function where one is given."""
    settings = house.project.training
    return settings if function is None else msgspec.structs.replace(settings, function=function)


def make(house: House, *, function: str | None = None, use_cache: bool = True) -> Made:
    """Train on the newest data (the source is committed first where there are none), judge, and register what passed. No traffic."""
    made = judge_new(house, function=function, use_cache=use_cache)
    if not made.report.passed:
        return made
    shop, settings = workshop(house), settings_with(house, function)
    final = shop.refit(made.run, settings=settings, run_id=uuid4().hex)
    return replace(made, version=shop.register(final, made.report, settings=settings))


def judge_new(house: House, *, function: str | None = None, use_cache: bool = True) -> Made:
    """Train a candidate on the newest data and judge it; nothing is registered."""
    check_names(house.project)
    shop, settings = workshop(house), settings_with(house, function)
    data = shop.data()
    run = shop.train(data.version, settings=settings, run_id=uuid4().hex, use_cache=use_cache)
    report = shop.judge(run, settings=settings, report_id=uuid4().hex)
    return Made(data=data, run=run, report=report, version=None)


def judge_again(house: House, run_id: str) -> Made:
    """Judge a finished run by the present gate and champion; of a refit, the run that it is one of (its test rows were learned from)."""
    run = tested_run(house, finished(house, run_id))
    shop = workshop(house)
    report = shop.judge(run, settings=recorded_settings(run), report_id=uuid4().hex)
    with house.store.read() as tx:
        data = tx.datasets.get(run.facts["dataset"], run.facts["dataset_version"])
    return Made(data=data, run=run, report=report, version=None)


def reproduce_run(house: House, run_id: str) -> "Reproduction":
    """Train a run again from what it recorded, and compare the answers."""
    import shutil

    import polars as pl

    from homeostat.data.split import Split
    from homeostat.train.reproduce import reproduce

    shop = workshop(house)
    run = finished(house, run_id)
    workdir = house.workdir / f"reproduce-{uuid4().hex}"

    def rows(number: int, settings: TrainSettings) -> Split:
        parts = shop.material(number, settings)[1]
        if not run.facts.get("refit_of"):
            return parts
        return Split(train=pl.concat([parts.train, parts.test]), test=parts.test, how=parts.how)

    try:
        return reproduce(
            run.run_id,
            store=house.store,
            blobs=house.blobs,
            rows=rows,
            root=house.root,
            workdir=workdir,
        )
    finally:
        shutil.rmtree(workdir, ignore_errors=True)


def recorded_settings(run: Run) -> TrainSettings:
    """Return the settings that the run was trained with."""
    from homeostat.train.recorded import settings_from_json

    return settings_from_json(run.facts["settings"])


def finished(house: House, run_id: str) -> Run:
    """Return the run; raise InvalidInput where it has no model."""
    with house.store.read() as tx:
        run = tx.runs.get(run_id)
    if run.status is not RunStatus.FINISHED:
        raise InvalidInput(
            f"run {run.run_id[:12]} is {run.status.value} and has no model",
            hint=f"`homeostat runs show {run.run_id[:12]}` says why",
        )
    return run


def tested_run(house: House, run: Run) -> Run:
    """Return the run whose model the gate can judge: it has not seen its test rows."""
    tested = run.facts.get("refit_of")
    if tested is None:
        return run
    with house.store.read() as tx:
        return tx.runs.get(tested)


def log_of(house: House, run: Run) -> str:
    """Return what the user's code printed; empty where nothing was kept."""
    path = f"runs/{run.run_id}/train.log"
    if not house.blobs.exists(path):
        return ""
    return house.blobs.get_bytes(path).decode("utf-8", errors="replace")


def report_of(house: House, report_id: str) -> GateReport:
    """Return a gate report by its id or the first digits of it; an empty id is the newest."""
    with house.store.read() as tx:
        recent = tx.models.reports(house.project.model, limit=1000)
        alike = [report for report in recent if report.report_id.startswith(report_id)]
        if not recent:
            raise NotFound(f"'{house.project.model}' was never judged", hint="`homeostat check` judges a candidate")
        if not report_id or len(alike) == 1:
            return alike[0]
        return tx.models.report(report_id)


def refuse_unwritable(path: Path) -> None:
    """Raise InvalidInput where `write_text` would for want of a folder, before any work is done."""
    if not path.resolve().parent.is_dir():
        raise InvalidInput(
            f"cannot write {path}: there is no folder {path.parent}", hint="create it, or give another path"
        )


def write_text(path: Path, text: str) -> None:
    """Write a file that the user named; raise InvalidInput where its folder is not there."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(
            f"cannot write {path}: {error.strerror}", hint="give a path in a folder that exists"
        ) from error
