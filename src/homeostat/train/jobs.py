"""Training and predicting in a child process: frames go in and answers come out as files in a work folder."""

import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from homeostat.core.columns import Roles, Signature
from homeostat.core.duration import size_bytes
from homeostat.core.errors import JobFailed, JobKilled
from homeostat.track.predictions import Predictions
from homeostat.train.package import read_signature
from homeostat.train.recorded import settings_json
from homeostat.train.rows import training_rows
from homeostat.train.runner import ChildResult, Interpreter, Limits, run_child
from homeostat.train.settings import TrainSettings
from homeostat.train.signature import to_json

LAST_LINES = 15
_CHILD = "homeostat.train.child"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A package and how it came about. `signature` is the package's: what the model declares to take. `predictions` are its answers to the test rows, None where there were none.

    `rows` is how many were trained on, `dropped` how many were left out (no label, or too old).
    """

    package: Path
    signature: Signature
    predictions: Predictions | None
    params: dict[str, str]
    metrics: dict[str, float]
    rows: int
    dropped: int
    log: str
    duration_s: float
    cpu_s: float
    peak_bytes: int


def train_in_child(
    train: pl.DataFrame,
    test: pl.DataFrame | None,
    *,
    roles: Roles,
    signature: Signature,
    settings: TrainSettings,
    root: Path,
    workdir: Path,
    environment: Mapping[str, str] | None = None,
) -> Trained:
    """Return a model trained within the limits of the settings. The package stays in `workdir/package`, the log in `workdir/train.log`.

    Raises JobFailed, which says what happened (raised where, hung for how long, outgrew which limit, returned what); the log is there
    then too. Raises NotEnoughData where no row is labelled.
    """
    rows = training_rows(train, roles=roles, settings=settings)
    workdir.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(workdir / "package", ignore_errors=True)  # of a try that died
    rows.write_ipc(workdir / "train.arrow")
    if test is not None:
        test.write_ipc(workdir / "test.arrow")
    spec = {
        "task": "train",
        "train": str(workdir / "train.arrow"),
        "test": None if test is None else str(workdir / "test.arrow"),
        "predictions": str(workdir / "test_predictions.parquet"),
        "package": str(workdir / "package"),
        "roles": msgspec.to_builtins(roles),
        "signature": to_json(signature),
        "settings": settings_json(settings),
        "root": str(root.resolve()),
    }
    result = _run("training", spec, settings=settings, root=root, workdir=workdir, environment=environment)
    said = _accepted("training", result, settings)
    return Trained(
        package=workdir / "package",
        predictions=None if test is None else _predictions(workdir, signature),
        signature=read_signature(workdir / "package"),
        params=said["params"],
        metrics=said["metrics"],
        rows=said["rows"],
        dropped=len(train) - said["rows"],
        log=result.log,
        duration_s=result.duration_s,
        cpu_s=result.cpu_s,
        peak_bytes=result.peak_bytes,
    )


def predict_in_child(
    package: Path,
    frame: pl.DataFrame,
    *,
    settings: TrainSettings,
    root: Path,
    workdir: Path,
    environment: Mapping[str, str] | None = None,
    signature: Signature | None = None,
    interpreter: Interpreter | None = None,
) -> Predictions:
    """Return what a package answers to the rows, asked in a child process within the limits of the settings; raises JobFailed.

    A package that a client logged needs the `signature` of its version. `interpreter`: of the package's own environment, where it has one.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    frame.write_ipc(workdir / "frame.arrow")
    spec = {
        "task": "predict",
        "package": str(package.resolve()),
        "frame": str(workdir / "frame.arrow"),
        "predictions": str(workdir / "test_predictions.parquet"),
        "root": str(root.resolve()),
        "signature": None if signature is None else to_json(signature),
    }
    result = _run(
        "predicting",
        spec,
        settings=settings,
        root=root,
        workdir=workdir,
        environment=environment,
        interpreter=interpreter,
    )
    _accepted("predicting", result, settings)
    return _predictions(workdir, signature or read_signature(package))


def _predictions(workdir: Path, signature: Signature) -> Predictions:
    return Predictions.from_frame(pl.read_parquet(workdir / "test_predictions.parquet"), classes=signature.classes)


def _run(
    what: str,
    spec: dict[str, Any],
    *,
    settings: TrainSettings,
    root: Path,
    workdir: Path,
    environment: Mapping[str, str] | None,
    interpreter: Interpreter | None = None,
) -> ChildResult:
    limits = Limits(
        timeout_s=settings.timeout.total_seconds(), memory_bytes=size_bytes(settings.memory), env=tuple(settings.env)
    )
    result = run_child(
        _CHILD, spec, limits=limits, cwd=root, workdir=workdir, environment=environment, interpreter=interpreter
    )
    name = "train.log" if what == "training" else "predict.log"
    (workdir / name).write_text(result.log, encoding="utf-8")
    return result


def _accepted(what: str, result: ChildResult, settings: TrainSettings) -> dict[str, Any]:
    """Return what the child answered; raise JobFailed with what happened instead."""
    if result.ended == "exited" and result.answer is not None and "ok" in result.answer:
        accepted: dict[str, Any] = result.answer["ok"]
        return accepted
    message, hint = _failure(what, result, settings)
    lines = result.log.strip().splitlines()[-LAST_LINES:]
    shown = "\n".join(["", "the last lines of its output:", *(f"  {line[:300]}" for line in lines)]) if lines else ""
    was_killed = result.ended == "exited" and result.answer is None and result.exit == -signal.SIGKILL
    raise (JobKilled if was_killed else JobFailed)(message, hint=hint + shown)


def _failure(what: str, result: ChildResult, settings: TrainSettings) -> tuple[str, str]:
    match result.ended:
        case "timed out":
            return (
                f"{what} was stopped after {result.duration_s:.1f} s: its limit is {settings.timeout}",
                "raise train.timeout, or train on fewer rows (train.window, train.max_rows)",
            )
        case "out of memory":
            return (
                f"{what} was stopped: it used {_megabytes(result.peak_bytes)} of memory, its limit is {settings.memory}",
                "raise train.memory, or train on fewer rows (train.window, train.max_rows)",
            )
    if result.answer is not None:
        error = result.answer["error"]
        return f"{what} failed: {error['message']}", error["hint"] or "see its output"
    if result.exit < 0:
        name = signal.Signals(-result.exit).name
        return (
            f"{what} was killed by {name}, without a model",
            "perhaps by the system, for lack of memory: lower train.memory or train on fewer rows"
            if name == "SIGKILL"
            else "a library crashed: see its output",
        )
    return (
        f"{what} ended by itself with exit code {result.exit}, without a model",
        "do not end the process in the train function; return a model",
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
