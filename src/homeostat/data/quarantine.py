"""Batches that broke the contract: kept whole, with the report that says where, until a named person releases or discards them."""

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import msgspec
import polars as pl

from homeostat.audit.log import record
from homeostat.core.columns import Kind, Roles
from homeostat.core.errors import Conflict, InvalidInput, Quarantined
from homeostat.core.ids import derived_id
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.store import Store, Transaction
from homeostat.core.records.data import QuarantinedBatch, QuarantineState
from homeostat.core.values import Json
from homeostat.data.validate import ContractReport


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Rows on their way into a data set, with what is known of them."""

    dataset: str
    frame: pl.DataFrame
    roles: Roles
    kinds: dict[str, Kind]
    source: str
    key: str | None


def hold(
    batch: Batch, report: ContractReport, *, store: Store, blobs: BlobStore, actor: str, now: datetime
) -> Quarantined:
    """Set the batch aside and return the error that tells of it. The same rows under the same key are set aside once."""
    content = _parquet(batch.frame)
    batch_id = derived_id("batch", batch.dataset, batch.key or now.isoformat(), hashlib.sha256(content).hexdigest())[
        :12
    ]
    location = f"quarantine/{batch.dataset}/{batch_id}.parquet"
    blobs.put_bytes(location, content)
    with store.write() as tx:
        known = [known for known in tx.datasets.quarantined(batch.dataset) if known.batch_id == batch_id]
        if not known or known[0].state is not QuarantineState.HELD:
            tx.datasets.quarantine(
                QuarantinedBatch(
                    batch_id=batch_id,
                    dataset=batch.dataset,
                    created=now,
                    source=batch.source,
                    rows=batch.frame.height,
                    location=location,
                    report={**report.to_json(), "batch": _described(batch)},
                )
            )
            told: Json = {
                "batch": batch_id,
                "rows": batch.frame.height,
                "broken": report.summary,
                "source": batch.source,
            }
            record(tx, "batch.quarantined", subject=batch.dataset, actor=actor, time=now, payload=told)
    return Quarantined(
        f"batch {batch_id} ({batch.frame.height:,} rows) breaks the contract of '{batch.dataset}' and was set aside whole: {report.summary}",
        hint=f"{report.violations[0].message}; look: `homeostat data quarantine show {batch_id}`, then release or discard it",
    )


def held(tx: Transaction, blobs: BlobStore, batch_id: str, *, by: str, reason: str) -> Batch:
    """Return a batch that is still held; raise Conflict where it was resolved, InvalidInput without a name or reason."""
    found = _resolvable(tx, batch_id, by=by, reason=reason)
    about = found.report["batch"]
    roles = about["roles"]
    return Batch(
        dataset=found.dataset,
        frame=pl.read_parquet(io.BytesIO(blobs.get_bytes(found.location))),
        roles=Roles(
            target=roles["target"], time=roles["time"], key=tuple(roles["key"]), exclude=tuple(roles["exclude"])
        ),
        kinds={name: Kind(kind) for name, kind in about["kinds"].items()},
        source=found.source,
        key=about["key"] or f"batch:{batch_id}",
    )


def set_aside(batches: Iterable[QuarantinedBatch], blobs: BlobStore, *, source: str) -> Iterator[pl.DataFrame]:
    """Yield the rows of a source that are held or were discarded, batch by batch."""
    for found in batches:
        if found.source == source and found.state is not QuarantineState.RELEASED:
            yield pl.read_parquet(io.BytesIO(blobs.get_bytes(found.location)))


def discard(batch_id: str, *, by: str, reason: str, store: Store, now: datetime) -> QuarantinedBatch:
    """Mark a held batch as not wanted. Its rows stay where they are: nothing is lost."""
    with store.write() as tx:
        found = _resolvable(tx, batch_id, by=by, reason=reason)
        return _resolve(tx, found, QuarantineState.DISCARDED, by=by, reason=reason, now=now, more={})


def mark_released(
    tx: Transaction, batch_id: str, *, version: int, by: str, reason: str, now: datetime
) -> QuarantinedBatch:
    """Mark a held batch as committed, in the transaction that commits it."""
    found = _resolvable(tx, batch_id, by=by, reason=reason)
    return _resolve(tx, found, QuarantineState.RELEASED, by=by, reason=reason, now=now, more={"version": version})


def _resolvable(tx: Transaction, batch_id: str, *, by: str, reason: str) -> QuarantinedBatch:
    if not by.strip() or not reason.strip():
        raise InvalidInput(
            "a person and a reason are wanted", hint="say who answers for it (`--by`) and why (`--reason`)"
        )
    found = tx.datasets.quarantined_batch(batch_id)
    if found.state is not QuarantineState.HELD:
        raise Conflict(
            f"batch {batch_id} was {found.state} by {found.resolved_by}",
            hint="commit the rows anew if that was a mistake",
        )
    return found


def _resolve(
    tx: Transaction,
    found: QuarantinedBatch,
    state: QuarantineState,
    *,
    by: str,
    reason: str,
    now: datetime,
    more: Json,
) -> QuarantinedBatch:
    resolved = replace(found, state=state, resolved_by=by, resolved=now, reason=reason)
    tx.datasets.quarantine(resolved)
    told: Json = {"batch": found.batch_id, "rows": found.rows, "reason": reason, **more}
    record(tx, f"batch.{state}", subject=found.dataset, actor=by, time=now, payload=told)
    return resolved


def _parquet(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out)
    return out.getvalue()


def _described(batch: Batch) -> Json:
    out: Json = msgspec.to_builtins({"kinds": batch.kinds, "roles": asdict(batch.roles), "key": batch.key})
    return out
