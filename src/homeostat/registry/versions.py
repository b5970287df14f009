"""Registering: a run becomes an immutable, numbered version of a named model."""

import hashlib
from datetime import datetime
from pathlib import Path

from homeostat.audit.log import record
from homeostat.core.errors import AuditBroken, InvalidInput, NotFound
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.store import Store, Transaction
from homeostat.core.records.registry import GateReport, ModelVersion
from homeostat.core.records.tracking import Run, RunStatus
from homeostat.core.values import Json

CHAMPION = "champion"
CHALLENGER = "challenger"


def register(
    *,
    store: Store,
    blobs: BlobStore,
    model: str,
    run: Run,
    signature: Json,
    report: GateReport | None,
    actor: str,
    now: datetime,
    description: str = "",
) -> ModelVersion:
    """Return the version that the run's model package becomes; the same run again returns the same version.

    The version becomes the `challenger`. Raises InvalidInput where the run did not finish, NotFound where it left no package.
    """
    if run.status is not RunStatus.FINISHED:
        raise InvalidInput(
            f"run '{run.run_id}' is {run.status.value} and has no model to register",
            hint="`homeostat runs show` says why; register a finished run",
        )
    location = f"{run.artifacts}/model"
    if not blobs.exists(location):
        raise NotFound(f"run '{run.run_id}' left no model package at '{location}'")
    digests = digests_of(blobs.local(location))
    with store.write() as tx:
        known = tx.models.by_run(model, run.run_id)
        if known is not None:
            return known
        version = ModelVersion(
            model=model,
            version=tx.models.next_version(model),
            run_id=run.run_id,
            created=now,
            location=location,
            digests=digests,
            signature=signature,
            lineage={"run_id": run.run_id, **run.facts},
            report_id=report.report_id if report else None,
            description=description,
        )
        tx.models.add(version)
        tx.models.set_alias(model, CHALLENGER, version.version)
        record(
            tx,
            "model_version.registered",
            subject=f"model:{model}",
            actor=actor,
            time=now,
            payload={
                "version": version.version,
                "run_id": run.run_id,
                "report_id": version.report_id,
                "gate_passed": report.passed if report else None,
                "digests": digests,
            },
            key=f"register:{model}:{run.run_id}",
        )
    return version


def digests_of(folder: Path) -> dict[str, str]:
    """Return {relative path: SHA-256} of every file below the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): _digest(path) for path in files}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def package_of(version: ModelVersion, *, blobs: BlobStore) -> Path:
    """Return the local folder of the version's package, its files checked against the digests it was registered with."""
    if not version.digests:
        raise NotFound(
            f"{version.model} version {version.version} has no package here",
            hint="log the model to this server, and register it from there",
        )
    folder = blobs.local(version.location)
    found = digests_of(folder)
    if found != version.digests:
        wrong = sorted(
            name for name in found.keys() | version.digests.keys() if found.get(name) != version.digests.get(name)
        )
        raise AuditBroken(
            f"the files of {version.model} version {version.version} are not the ones that were registered: {', '.join(wrong)}",
            hint="restore them from a backup, or train again: `homeostat runs reproduce`",
        )
    return folder


def resolve(tx: Transaction, model: str, which: str) -> ModelVersion:
    """Return the version that `which` names: an alias, or a number; raise NotFound with what there is."""
    if which.isdecimal():
        return tx.models.get(model, int(which))
    number = tx.models.alias(model, which)
    if number is None:
        if model not in tx.models.models():
            tx.models.get(model, 1)
        if which == CHAMPION:
            there = [version.version for version in tx.models.versions(model)]
            raise NotFound(
                f"no version of model '{model}' is champion yet",
                hint=f"`homeostat models promote {there[-1]}` makes version {there[-1]} one; {model}@{there[-1]} names it as it is"
                if there
                else "`homeostat train` makes a first version",
            )
        known = ", ".join(f"{alias} -> {n}" for alias, n in tx.models.aliases(model).items()) or "none"
        raise NotFound(f"model '{model}' has no alias '{which}'", hint=f"aliases: {known}")
    return tx.models.get(model, number)
