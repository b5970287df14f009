"""Taking a version that a client registered into the loop: what it takes and answers is settled, and kept with the version."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from homeostat.audit.log import record
from homeostat.core.columns import Column, Kind, Signature
from homeostat.core.errors import InvalidInput, NotFound, near
from homeostat.core.ports.store import Transaction
from homeostat.core.records.registry import GateReport, ModelVersion
from homeostat.core.values import Json
from homeostat.registry.declared import KINDS, Declared, Input
from homeostat.registry.versions import CHALLENGER
from homeostat.train.signature import to_json

# How a column of the data may be given to a model that wants another type. Numbers never become text.
_FITS = {
    Kind.INTEGER: {Kind.INTEGER, Kind.BOOLEAN},
    Kind.FLOAT: {Kind.FLOAT, Kind.INTEGER, Kind.BOOLEAN},
    Kind.BOOLEAN: {Kind.BOOLEAN},
    Kind.CATEGORY: {Kind.CATEGORY, Kind.TEXT},
    Kind.DATETIME: {Kind.DATETIME},
}


def adopted_signature(declared: Declared, data: Signature) -> Signature:
    """Return what the loop takes a client's model to want and answer: the features, target and classes of the project's data, and its params.

    So whoever asks for predictions sends the same rows to every version; the model picks the columns that its package declares out of them.
    Raises InvalidInput naming the first of these that the data do not have, or have in a kind which cannot be given as the declared type.
    """
    known = {column.name: column for column in data.columns}
    for wanted in declared.inputs or ():
        _refuse_unfit(wanted, known)
    return replace(data, params=declared.params)


def _refuse_unfit(wanted: Input, known: Mapping[str, Column]) -> None:
    if wanted.type not in KINDS or not wanted.name:
        raise InvalidInput(
            f"the model declares an input of type '{wanted.type}' {f'({wanted.name!r})' if wanted.name else 'without a name'}",
            hint="log it with a signature of named columns: infer_signature(pandas frame, ...)",
        )
    column = known.get(wanted.name)
    if column is None:
        raise InvalidInput(
            f"the model wants a column '{wanted.name}', which is no feature of the data", hint=near(wanted.name, known)
        )
    if column.kind not in _FITS[wanted.kind]:
        raise InvalidInput(
            f"the model wants '{wanted.name}' as {wanted.type}, in the data it is {column.kind.value}",
            hint="log the model with the types of the data, or set data.columns in homeostat.yaml",
        )


def adopt(
    tx: Transaction,
    version: ModelVersion,
    *,
    signature: Signature,
    report: GateReport,
    lineage: Json,
    actor: str,
    now: datetime,
    key: str,
) -> ModelVersion:
    """Return the version as the loop knows it from now on: with signature and gate report. It becomes the `challenger`. Once per `key`."""
    known = tx.models.get(version.model, version.version)
    if tx.audit.by_key(key) is not None:
        return known
    changed = replace(
        known,
        digests=version.digests,
        signature=to_json(signature),
        report_id=report.report_id,
        lineage={**known.lineage, **lineage},
        updated=now,
    )
    tx.models.replace(changed)
    tx.models.set_alias(version.model, CHALLENGER, version.version)
    record(
        tx,
        "model_version.adopted",
        subject=f"model:{version.model}",
        actor=actor,
        time=now,
        payload={
            "version": version.version,
            "run_id": report.run_id,
            "report_id": report.report_id,
            "gate_passed": report.passed,
            "digests": version.digests,
        },
        key=key,
    )
    return changed


def refuse_without_package(version: ModelVersion) -> None:
    """Refuse a version that there is nothing to serve of."""
    if not version.digests:
        raise NotFound(
            f"{version.model} version {version.version} has no package on this server ({version.source[:200] or 'it names no source'})",
            hint="log the model to this server, and register it from there",
        )
