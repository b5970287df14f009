"""Trying a model that was not trained here, as a run: recorded from its start to its end, on the same held-out rows as any candidate."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from homeostat.core.columns import Roles, Signature
from homeostat.core.errors import HomeostatError
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.store import Store
from homeostat.core.records.data import DatasetVersion
from homeostat.core.records.registry import ModelVersion
from homeostat.core.records.tracking import Run, RunStatus
from homeostat.data.split import Split
from homeostat.track.runs import artifacts_of, fail_run, finish_run, start_run
from homeostat.train.jobs import predict_in_child
from homeostat.train.run import facts_of, test_metrics
from homeostat.train.runner import Interpreter
from homeostat.train.settings import TrainSettings


def trial_run(
    *,
    store: Store,
    blobs: BlobStore,
    clock: Clock,
    run_id: str,
    experiment: str,
    version: ModelVersion,
    package: Path,
    dataset_version: DatasetVersion,
    split: Split,
    roles: Roles,
    signature: Signature,
    settings: TrainSettings,
    root: Path,
    workdir: Path,
    actor: str,
    environment: Mapping[str, str] | None = None,
    interpreter: Interpreter | None = None,
) -> Run:
    """Return the finished run of that id, in which the version's package answered the test rows in a child process.

    Its file is the blob `runs/<run_id>/test_predictions.parquet`; `facts["adopted"]` names the version. Where the model cannot be loaded or
    does not answer, the run is FAILED and the error (JobFailed) raised again.
    """
    with store.read() as tx:
        known = tx.runs.find(run_id)
    if known is not None and known.status is RunStatus.FINISHED:
        return known
    facts = {
        "adopted": {"model": version.model, "version": version.version, "source": version.source},
        **facts_of(dataset_version, split, roles=roles, signature=signature, settings=settings),
    }
    with store.write() as tx:
        name = f"{experiment}-trial-of-version-{version.version}"
        params = {"adopted.version": str(version.version), "adopted.source": version.source}
        start_run(
            tx, run_id=run_id, experiment=experiment, name=name, user=actor, now=clock.now(), facts=facts, params=params
        )
    scratch = workdir / "trial"
    try:
        answers = predict_in_child(
            package,
            split.test,
            settings=settings,
            root=root,
            workdir=scratch,
            environment=environment,
            signature=signature,
            interpreter=interpreter,
        )
        content = (scratch / "test_predictions.parquet").read_bytes()
        blobs.put_bytes(f"{artifacts_of(run_id)}/test_predictions.parquet", content)
    except HomeostatError as error:
        with store.write() as tx:
            fail_run(tx, run_id, now=clock.now(), reason=error.message)
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    with store.write() as tx:
        return finish_run(tx, run_id, now=clock.now(), metrics=test_metrics(split.test, answers, signature))
