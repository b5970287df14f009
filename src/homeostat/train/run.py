"""Training as a run: recorded from its start to its end, whatever happens between."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from homeostat.core.columns import Roles, Signature
from homeostat.core.errors import HomeostatError
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.store import Store
from homeostat.core.records.data import DatasetVersion
from homeostat.core.records.tracking import Run, RunStatus
from homeostat.data.split import Split
from homeostat.track.metrics import compute
from homeostat.track.predictions import Predictions
from homeostat.track.runs import artifacts_of, fail_run, finish_run, start_run
from homeostat.track.usual import defaults
from homeostat.train.cache import StepCache
from homeostat.train.facts import Code, code_of, environment_fact, hardware_fact, packages, rows_digest
from homeostat.train.frames import target
from homeostat.train.graph import Step
from homeostat.train.jobs import train_in_child
from homeostat.train.recorded import settings_json
from homeostat.train.redact import Redactor
from homeostat.train.rows import labelled
from homeostat.train.settings import TrainSettings
from homeostat.train.signature import to_json

Json = dict[str, Any]
STEP = "train"
# Limits decide whether a model is made, not which.
_NOT_IN_THE_MODEL = ("timeout", "memory", "test_share", "refit")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    predictions: Predictions
    params: dict[str, str]
    metrics: dict[str, float]
    facts: Json


def train_run(
    *,
    store: Store,
    blobs: BlobStore,
    clock: Clock,
    run_id: str,
    experiment: str,
    dataset_version: DatasetVersion,
    split: Split,
    roles: Roles,
    signature: Signature,
    settings: TrainSettings,
    root: Path,
    workdir: Path,
    actor: str,
    use_cache: bool = True,
    refit_of: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Run:
    """Return the finished run of that id: trained now, taken from the cache, or finished before.

    `refit_of`: the run whose model was tested, where this one learns from its test rows too: then no test metrics are recorded.
    Its files are the blobs `runs/<run_id>/model`, `test_predictions.parquet`, `train.log`, `code.diff` (where the code is not as
    committed) and `environment.txt`; `facts["cache"]` says why it was trained or not. A run that its process left RUNNING starts anew.
    Where training fails the run is FAILED, its log kept, and the error (JobFailed, NotEnoughData, ...) raised again.
    """
    with store.read() as tx:
        known = tx.runs.find(run_id)
    if known is not None and known.status is RunStatus.FINISHED:
        return known
    code = code_of(root, function=settings.function)
    facts = facts_of(dataset_version, split, roles=roles, signature=signature, settings=settings)
    facts["code"] = code.fact()
    if refit_of is not None:
        facts["refit_of"] = refit_of
    with store.write() as tx:
        start_run(
            tx,
            run_id=run_id,
            experiment=experiment,
            name=f"{experiment}-{run_id[:8]}",
            user=actor,
            now=clock.now(),
            facts=facts,
            params=_params(settings),
        )
    _keep_surroundings(blobs, run_id, code)
    cache = StepCache(blobs, experiment)
    planned, entry = cache.look(_step(facts, settings))
    scratch = workdir / "training"
    try:
        result = _reused(store, blobs, entry.run_id, run_id, signature) if use_cache and entry is not None else None
        if result is None:
            reason = planned.reason if use_cache else "asked to train anew"
            reason = f"{reason}, but its files are gone" if use_cache and entry is not None else reason
            result = _trained(
                blobs, run_id, split, roles=roles, signature=signature, settings=settings,
                root=root, scratch=scratch, cache={"hit": False, "reason": reason}, environment=environment,
            )  # fmt: skip
    except HomeostatError as error:
        with store.write() as tx:
            fail_run(tx, run_id, now=clock.now(), reason=error.message)
        raise
    finally:
        _keep_log(blobs, run_id, scratch)
        shutil.rmtree(scratch, ignore_errors=True)
    tested = {} if refit_of is not None else test_metrics(split.test, result.predictions, signature)
    with store.write() as tx:
        run = finish_run(
            tx,
            run_id,
            now=clock.now(),
            metrics={**_own(result.metrics), **tested},
            params={key: value for key, value in result.params.items() if key not in _params(settings)},
            facts=result.facts,
        )
    cache.keep(planned, run_id=run_id)
    return run


def _own(metrics: dict[str, float]) -> dict[str, float]:
    """The metrics that training itself logged: a reused run brings its test metrics too."""
    return {name: value for name, value in metrics.items() if not name.startswith("test_")}


def facts_of(
    version: DatasetVersion, split: Split, *, roles: Roles, signature: Signature, settings: TrainSettings
) -> Json:
    """Return what a run was made from and on, but for the code: of a training, and of a trial of somebody else's model."""
    return {
        "dataset": version.dataset,
        "dataset_version": version.version,
        "train_rows": {"rows": split.train.height, "digest": rows_digest(split.train)},
        "test_rows": {"rows": split.test.height, "digest": rows_digest(split.test)},
        "split": split.how,
        "roles": {"target": roles.target, "time": roles.time, "key": list(roles.key), "exclude": list(roles.exclude)},
        "signature": to_json(signature),
        "settings": settings_json(settings),
        "seed": settings.seed,
        "environment": environment_fact(),
        "hardware": hardware_fact(),
    }


def _step(facts: Json, settings: TrainSettings) -> Step:
    params = {name: value for name, value in settings_json(settings).items() if name not in _NOT_IN_THE_MODEL}
    return Step(
        name=STEP,
        code=facts["code"]["digest"],
        environment=facts["environment"]["digest"],
        data={"training rows": facts["train_rows"]["digest"], "test rows": facts["test_rows"]["digest"]},
        params={**params, "signature": facts["signature"], "roles": facts["roles"]},
    )


def _params(settings: TrainSettings) -> dict[str, str]:
    """The settings as a run's params: what is set, the user's own params by their own names."""
    chosen = {name: value for name, value in settings_json(settings).items() if name not in ("params", "env")}
    own = {str(name): str(value) for name, value in settings.params.items()}
    return {**own, **{f"train.{name}": str(value) for name, value in chosen.items() if value is not None}}


def _keep_surroundings(blobs: BlobStore, run_id: str, code: Code) -> None:
    blobs.put_bytes(f"{artifacts_of(run_id)}/environment.txt", "\n".join(packages()).encode())
    if code.diff:
        blobs.put_bytes(f"{artifacts_of(run_id)}/code.diff", Redactor(os.environ)(code.diff).encode())


def _keep_log(blobs: BlobStore, run_id: str, scratch: Path) -> None:
    log = scratch / "train.log"
    if log.exists():
        blobs.put_bytes(f"{artifacts_of(run_id)}/train.log", log.read_bytes())


def _trained(
    blobs: BlobStore,
    run_id: str,
    split: Split,
    *,
    roles: Roles,
    signature: Signature,
    settings: TrainSettings,
    root: Path,
    scratch: Path,
    cache: Json,
    environment: Mapping[str, str] | None,
) -> _Result:
    trained = train_in_child(
        split.train,
        split.test,
        roles=roles,
        signature=signature,
        settings=settings,
        root=root,
        workdir=scratch,
        environment=environment,
    )
    assert trained.predictions is not None  # there are test rows
    home = artifacts_of(run_id)
    blobs.put_tree(f"{home}/model", trained.package)
    blobs.put_bytes(f"{home}/test_predictions.parquet", (scratch / "test_predictions.parquet").read_bytes())
    return _Result(
        predictions=trained.predictions,
        params=trained.params,
        metrics=trained.metrics,
        facts={
            "served_signature": to_json(trained.signature),
            "trained_rows": trained.rows,
            "dropped_rows": trained.dropped,
            "duration_s": round(trained.duration_s, 3),
            "cpu_s": round(trained.cpu_s, 3),
            "peak_bytes": trained.peak_bytes,
            "cache": cache,
        },
    )


def _reused(store: Store, blobs: BlobStore, source: str, run_id: str, signature: Signature) -> _Result | None:
    """Return the result of an earlier run, its files copied; None where it or its files are gone."""
    with store.read() as tx:
        earlier = tx.runs.find(source)
    old, new = artifacts_of(source), artifacts_of(run_id)
    if earlier is None or not all(blobs.exists(f"{old}/{name}") for name in ("model", "test_predictions.parquet")):
        return None
    if source != run_id:
        blobs.put_tree(f"{new}/model", blobs.local(f"{old}/model"))
        for name in ("test_predictions.parquet", "train.log"):
            if blobs.exists(f"{old}/{name}"):
                blobs.put_bytes(f"{new}/{name}", blobs.get_bytes(f"{old}/{name}"))
    answers = pl.read_parquet(blobs.local(f"{new}/test_predictions.parquet"))
    copied = ("served_signature", "trained_rows", "dropped_rows", "duration_s", "cpu_s", "peak_bytes")
    return _Result(
        predictions=Predictions.from_frame(answers, classes=signature.classes),
        params=earlier.params,
        metrics=earlier.metrics,
        facts={name: earlier.facts[name] for name in copied if name in earlier.facts}
        | {"cache": {"hit": True, "reason": f"nothing changed since run {source}", "run_id": source}},
    )


def test_metrics(test: pl.DataFrame, predictions: Predictions, signature: Signature) -> dict[str, float]:
    """Return the default metrics of the task on the test rows whose target is known, named `test_*`."""
    known = labelled(test.with_row_index("__row"), signature.target)
    if known.is_empty():
        return {}
    y = target(known[signature.target], signature.task)
    said = predictions.take(known["__row"].to_numpy())
    return {f"test_{name}": value for name, value in compute(defaults(signature.task), y, said).items()}
