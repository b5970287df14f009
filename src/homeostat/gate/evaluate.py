"""The use case: judge the model of a run on held-out rows, and keep the report."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.audit.log import record
from homeostat.core.columns import Roles, Signature
from homeostat.core.errors import InvalidInput, JobFailed, NotEnoughData, NotFound, near
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.probe import CandidateProbe, ProbeAnswer
from homeostat.core.ports.store import Store
from homeostat.core.records.registry import GateReport, ModelVersion
from homeostat.core.records.tracking import Run
from homeostat.core.values import Json
from homeostat.gate.evidence import PROBE_ROWS, Evidence
from homeostat.gate.settings import GateSettings
from homeostat.gate.suite import SuiteReport, run_suite
from homeostat.track.predictions import Predictions
from homeostat.train.frames import target
from homeostat.train.runner import InterpreterOf, ours
from homeostat.train.settings import TrainSettings
from homeostat.train.signature import from_json, to_json

PROBE_TIMEOUT_S = 60.0
Predict = Callable[[Path, pl.DataFrame], Predictions]


def evaluate(
    *,
    store: Store,
    blobs: BlobStore,
    clock: Clock,
    run: Run,
    model: str,
    test: pl.DataFrame,
    roles: Roles,
    signature: Signature,
    settings: GateSettings,
    train_settings: TrainSettings,
    champion: ModelVersion | None,
    probe: CandidateProbe | None,
    root: Path,
    workdir: Path,
    actor: str,
    report_id: str,
    train_target: pl.Series | None = None,
    predict: Predict | None = None,
    package: str | None = None,
    interpreter_of: InterpreterOf = ours,
) -> GateReport:
    """Return the report of the run's model on `test`, stored with its audit event (`gate.passed`, `gate.failed`) in one transaction.

    `package`: the blob prefix of the model, where it is not the run's own. A report of that id is returned as it is. Rows without a target are left out. `predict` answers for the champion (None: in a child
    process, by `interpreter_of` its package). A model that fails is a report, not an error; errors are NotFound (no predictions of that run) and InvalidInput (they are not
    of these rows).
    """
    if (known := _known(store, report_id)) is not None:
        return known
    ask = predict or _in_child(train_settings, root, workdir, champion, interpreter_of)
    frame, candidate = _aligned(test, _candidate(blobs, run, signature), roles)
    answers, failure = _champion_answers(blobs, champion, frame, ask)
    evidence = Evidence(
        task=signature.task,
        signature=signature,
        test=frame,
        y=target(frame[roles.target], signature.task),
        candidate=candidate,
        champion=answers,
        champion_signature=None if champion is None else from_json(champion.signature),
        champion_failure=failure,
        train_target=None if train_target is None else _known_values(train_target, signature),
        probe=_probe(blobs, run, probe, frame, signature=signature, package=package),
        seed=train_settings.seed,
    )
    suite = run_suite(evidence, settings, about=_about(model, run, champion, frame, roles))
    report = GateReport(
        report_id=report_id,
        model=model,
        run_id=run.run_id,
        created=clock.now(),
        passed=suite.passed,
        body=suite.to_json(),
    )
    return _keep(store, suite, report, actor)


def rows_as_json(frame: pl.DataFrame, names: Sequence[str]) -> list[Json]:
    """Return rows as a client would send them: times as ISO 8601, NaN and infinity as null."""
    return [{name: _plain(value) for name, value in row.items()} for row in frame.select(names).iter_rows(named=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _known(store: Store, report_id: str) -> GateReport | None:
    with store.read() as tx:
        try:
            return tx.models.report(report_id)
        except NotFound:
            return None


def _in_child(
    settings: TrainSettings, root: Path, workdir: Path, champion: ModelVersion | None, interpreter_of: InterpreterOf
) -> Predict:
    from homeostat.train.jobs import predict_in_child

    signature = from_json(champion.signature) if champion is not None and champion.source else None

    def ask(package: Path, frame: pl.DataFrame) -> Predictions:
        folder = workdir / "champion"
        return predict_in_child(
            package,
            frame,
            settings=settings,
            root=root,
            workdir=folder,
            signature=signature,
            interpreter=interpreter_of(package),
        )

    return ask


def _candidate(blobs: BlobStore, run: Run, signature: Signature) -> Predictions:
    path = f"runs/{run.run_id}/test_predictions.parquet"
    if not blobs.exists(path):
        raise NotFound(
            f"run {run.run_id} has no predictions on test rows", hint="train again; the run may have failed or be older"
        )
    return Predictions.from_frame(pl.read_parquet(blobs.local(path)), classes=signature.classes)


def _aligned(test: pl.DataFrame, candidate: Predictions, roles: Roles) -> tuple[pl.DataFrame, Predictions]:
    """Test rows with a known target, in the order of time, and the predictions of the same rows."""
    if roles.target not in test.columns:
        raise NotFound(f"the test rows have no target '{roles.target}'", hint=near(roles.target, test.columns))
    known = test[roles.target].is_not_null().to_numpy()
    if test[roles.target].dtype.is_float():
        known &= ~test[roles.target].is_nan().fill_null(value=True).to_numpy()
    frame = test.filter(pl.Series(known))
    if len(candidate) == test.height:
        candidate = candidate.take(known)
    elif len(candidate) != frame.height:
        raise InvalidInput(
            f"the run has {len(candidate)} predictions, the test has {test.height} rows ({frame.height} with a target)",
            hint="evaluate on the test rows of the same split",
        )
    if frame.height < 2:
        raise NotEnoughData(
            f"{frame.height} test rows have a known target", hint="raise train.test_share, or wait for labels"
        )
    if roles.time is None or roles.time not in frame.columns:
        return frame, candidate
    order = frame[roles.time].arg_sort().to_numpy()
    return frame[order], candidate.take(order)


def _champion_answers(
    blobs: BlobStore, champion: ModelVersion | None, frame: pl.DataFrame, ask: Predict
) -> tuple[Predictions | None, str | None]:
    """The champion's predictions, or why there are none."""
    if champion is None:
        return None, None
    try:
        answers = ask(blobs.local(champion.location), frame)
    except (JobFailed, InvalidInput, NotFound) as error:
        return None, f"version {champion.version} cannot answer the test rows: {error.message}"
    if len(answers) != frame.height:
        return None, f"version {champion.version} gave {len(answers)} answers to {frame.height} rows"
    return answers, None


def _known_values(values: pl.Series, signature: Signature) -> npt.NDArray[Any] | None:
    known = values.drop_nulls()
    known = known.drop_nans() if known.dtype.is_float() else known
    return target(known, signature.task) if len(known) else None


def _probe(
    blobs: BlobStore,
    run: Run,
    probe: CandidateProbe | None,
    frame: pl.DataFrame,
    *,
    signature: Signature,
    package: str | None,
) -> Callable[[], ProbeAnswer] | None:
    if probe is None:
        return None

    def ask() -> ProbeAnswer:
        rows = rows_as_json(frame.head(PROBE_ROWS), signature.names)
        if package is None:
            return probe.predict(blobs.local(f"runs/{run.run_id}/model"), rows, timeout_s=PROBE_TIMEOUT_S)
        local = blobs.local(package)
        return probe.predict(local, rows, timeout_s=PROBE_TIMEOUT_S, signature=to_json(signature))

    return ask


def _about(model: str, run: Run, champion: ModelVersion | None, frame: pl.DataFrame, roles: Roles) -> Json:
    about: Json = {"model": model, "run": run.run_id, "test rows": frame.height}
    if roles.time is not None and roles.time in frame.columns:
        about |= {"test from": str(frame[roles.time].min()), "test to": str(frame[roles.time].max())}
    return about | {"champion": "none yet" if champion is None else f"version {champion.version}"}


def _keep(store: Store, suite: SuiteReport, report: GateReport, actor: str) -> GateReport:
    """Store the report and its event; where another try has been faster, return its report."""
    with store.write() as tx:
        try:
            return tx.models.report(report.report_id)
        except NotFound:
            tx.models.add_report(report)
        record(
            tx,
            "gate.passed" if report.passed else "gate.failed",
            subject=report.model,
            actor=actor,
            time=report.created,
            payload={
                "report_id": report.report_id,
                "run_id": report.run_id,
                "summary": suite.summary,
                "failed": list(dict.fromkeys(result.check for result in suite.failed)),
            },
            key=f"gate:{report.report_id}",
        )
    return report
