"""Commits batches as versions of a data set.

State and its audit event are one transaction. The table is appended to inside it, while other writers wait: when the metadata does
not commit, the table is put back, and after a crash between the two the next commit puts it back first. So a version is there
whole or not at all, and what `load` gives is always what the metadata tell of.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import msgspec
import polars as pl

from homeostat.audit.log import record
from homeostat.core.columns import Kind, Roles
from homeostat.core.errors import Conflict, NotFound, Quarantined
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.data import TableStore
from homeostat.core.ports.store import Store, Transaction
from homeostat.core.records.data import DatasetVersion
from homeostat.core.values import Json
from homeostat.data.cast import conform
from homeostat.data.contract import Contract, apply_overrides, infer_contract
from homeostat.data.kinds import infer_kinds
from homeostat.data.profile import Profile, profile
from homeostat.data.quarantine import Batch, discard, held, hold, mark_released
from homeostat.data.settings import ContractSettings
from homeostat.data.validate import rows_that_break, validate

__all__ = ["commit", "discard", "kinds_of", "load", "release", "roles_of"]

_FEW = 0.05  # of a batch's rows: so many that break the contract are a few odd ones, and not a broken source


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Base:
    """What a batch is added to: version, contract and rows that were current when it was prepared."""

    version: DatasetVersion | None
    contract: Contract | None
    rows: pl.DataFrame | None


def commit(
    frame: pl.DataFrame,
    *,
    store: Store,
    tables: TableStore,
    blobs: BlobStore,
    dataset: str,
    roles: Roles,
    kinds: Mapping[str, Kind],
    settings: ContractSettings,
    source: str,
    actor: str,
    now: datetime,
    key: str | None = None,
    may_lack: Collection[str] = (),
    mark: str | None = None,
    limits_size: bool = True,
    spares: Callable[[Quarantined], None] | None = None,
) -> DatasetVersion:
    """Add rows, as they were read, and return the new version; with a `key` used before, return that version and write nothing.

    The first version decides kinds (from `kinds`) and contract. Later batches are held to them; `kinds` counts for new columns only.
    `may_lack`: columns that rows from this source cannot be expected to fill. `mark`: the column that says that a row is a newer form
    of an earlier one, whose key it then has by right. `limits_size`: whether a batch of more than ten times the first rows is suspicious; of what
    production taught the size says how long ago the last batch was. A `max_rows` of `settings` holds in any case.
    `spares`: where at most one row in twenty breaks the contract, those are set aside by themselves, it is told, and the others are added.
    Raise Quarantined for a batch that breaks the contract (it is kept whole, the current version stays), and InvalidInput for a
    first version whose values do not fit its kinds.
    """
    batch = Batch(dataset=dataset, frame=frame, roles=roles, kinds=dict(kinds), source=source, key=key)
    while True:
        with store.read() as tx:
            if key is not None and (done := tx.datasets.by_key(dataset, key)) is not None:
                return done
            base = _base(tx, tables, dataset)
        typed = _typed(batch, base, strict=base.version is None)
        inferred = base.contract or infer_contract(typed.frame, roles=roles, kinds=typed.kinds)
        limits = inferred if limits_size else msgspec.structs.replace(inferred, max_rows=None)
        contract = apply_overrides(limits, settings).forgiving(may_lack)
        keys = _keys(base, inferred, renewed=None if mark is None else batch.frame.select(mark))
        report = validate(typed.frame, contract, now=now, known_keys=keys)
        if not report.passed:
            most = 0 if spares is None else int(_FEW * typed.frame.height)
            few = rows_that_break(typed.frame, contract, most=most, now=now, known_keys=keys) if most else None
            if few is None or spares is None:
                raise hold(batch, report, store=store, blobs=blobs, actor=actor, now=now)
            aside = replace(batch, frame=batch.frame.filter(few), key=f"{key}:aside" if key else None)
            spares(hold(aside, report, store=store, blobs=blobs, actor=actor, now=now))
            batch = replace(batch, frame=batch.frame.filter(~few))
            continue
        added = _add(_typed(batch, base, strict=True), base, inferred, store=store, tables=tables, actor=actor, now=now)
        if added is not None:
            return added


def release(
    batch_id: str, *, by: str, reason: str, store: Store, tables: TableStore, blobs: BlobStore, now: datetime
) -> DatasetVersion:
    """Commit a quarantined batch as it is and return its version; a named person answers for it. The contract stays.

    Raise Conflict where the batch was released or discarded before, InvalidInput where its values cannot be brought into the types
    of the columns (such a batch can only be corrected and committed anew).
    """
    while True:
        with store.read() as tx:
            batch = held(tx, blobs, batch_id, by=by, reason=reason)
            base = _base(tx, tables, batch.dataset)
        typed = _typed(batch, base, strict=True)
        inferred = base.contract or infer_contract(typed.frame, roles=batch.roles, kinds=typed.kinds)

        def settle(tx: Transaction, version: DatasetVersion) -> None:
            mark_released(tx, batch_id, version=version.version, by=by, reason=reason, now=now)

        added = _add(typed, base, inferred, store=store, tables=tables, actor=by, now=now, settle=settle)
        if added is not None:
            return added


def load(
    *, store: Store, tables: TableStore, dataset: str, version: int | None = None
) -> tuple[DatasetVersion, pl.DataFrame]:
    """Return a version (None: the newest) and all of its rows, in the order in which they were committed."""
    with store.read() as tx:
        found = tx.datasets.latest(dataset) if version is None else tx.datasets.get(dataset, version)
    if found is None:
        raise NotFound(f"data '{dataset}' have no version yet", hint="`homeostat data commit` makes the first one")
    return found, tables.read(_table(dataset), version=found.table_version)


def kinds_of(version: DatasetVersion) -> dict[str, Kind]:
    """Return the kind of every column of a version."""
    return {name: Kind(kind) for name, kind in version.schema["columns"].items()}


def roles_of(version: DatasetVersion) -> Roles:
    """Return the roles that the columns had when the version was committed."""
    given = version.schema["roles"]
    return Roles(target=given["target"], time=given["time"], key=tuple(given["key"]), exclude=tuple(given["exclude"]))


def _table(dataset: str) -> str:
    return f"datasets/{dataset}"


def _base(tx: Transaction, tables: TableStore, dataset: str) -> _Base:
    latest = tx.datasets.latest(dataset)
    contract = tx.datasets.contract(dataset)
    return _Base(
        version=latest,
        contract=None if contract is None or latest is None else Contract.from_json(contract),
        rows=None if latest is None else tables.read(_table(dataset), version=latest.table_version),
    )


def _typed(batch: Batch, base: _Base, *, strict: bool) -> Batch:
    """Return the batch with the kinds of the data set, and, if strict, its values in their types."""
    kinds = {} if base.version is None else kinds_of(base.version)
    new = [name for name in batch.frame.columns if name not in kinds]
    given = {name: batch.kinds[name] for name in new if name in batch.kinds}
    kinds |= infer_kinds(batch.frame.select(new), given)
    return replace(batch, kinds=kinds, frame=conform(batch.frame, kinds) if strict else batch.frame)


def _keys(base: _Base, contract: Contract, *, renewed: pl.DataFrame | None = None) -> pl.DataFrame | None:
    """Return the keys of earlier rows, without those that have a newer form in the batch: `renewed` has their marks."""
    rows = base.rows
    if rows is None or not contract.key or not set(contract.key) <= set(rows.columns):
        return None
    if renewed is not None and set(renewed.columns) <= set(rows.columns):
        rows = rows.join(renewed, on=renewed.columns, how="anti")
    return rows.select(contract.key)


def _add(
    batch: Batch,
    base: _Base,
    contract: Contract,
    *,
    store: Store,
    tables: TableStore,
    actor: str,
    now: datetime,
    settle: Callable[[Transaction, DatasetVersion], None] = lambda _tx, _version: None,
) -> DatasetVersion | None:
    """Append, write version and event, and return the version; None where another commit came first."""
    whole = batch.frame if base.rows is None else pl.concat([base.rows, batch.frame], how="diagonal")
    like = None if base.version is None else Profile.from_json(base.version.profile)
    described = profile(whole, batch.kinds, like=like).to_json()
    table = _table(batch.dataset)
    with _undone_on_error(store, tables, batch.dataset, base), store.write() as tx:
        if not _is_current(tx, batch.dataset, base):
            return None
        _put_back(tables, table, base)
        version = DatasetVersion(
            dataset=batch.dataset,
            version=1 if base.version is None else base.version.version + 1,
            table_version=tables.append(table, batch.frame, key=batch.key),
            rows=whole.height,
            added=batch.frame.height,
            created=now,
            source=batch.source,
            schema=_schema(batch),
            profile=described,
            key=batch.key,
        )
        tx.datasets.add(version)
        if base.version is None:
            tx.datasets.set_contract(batch.dataset, contract.to_json())
        told: Json = {"version": version.version, "rows": version.rows, "added": version.added, "source": batch.source}
        record(tx, "dataset.committed", subject=batch.dataset, actor=actor, time=now, payload=told)
        settle(tx, version)
    return version


def _is_current(tx: Transaction, dataset: str, base: _Base) -> bool:
    latest = tx.datasets.latest(dataset)
    return (latest and latest.version) == (base.version and base.version.version)


@contextmanager
def _undone_on_error(store: Store, tables: TableStore, dataset: str, base: _Base) -> Iterator[None]:
    """Put the table back where the transaction did not commit. Where that fails too, the next commit does it."""
    try:
        yield
    except BaseException:
        with store.write() as tx:
            if _is_current(tx, dataset, base):
                _put_back(tables, _table(dataset), base)
        raise


def _put_back(tables: TableStore, table: str, base: _Base) -> None:
    """Undo an append without metadata; refuse to drop a history that the metadata do not know."""
    was = None if base.version is None else base.version.table_version
    found = tables.version(table)
    if found == was:
        return
    if was is None and found:
        raise Conflict(
            f"table '{table}' has {found + 1} versions that the database does not know",
            hint="is this the right database for this folder? If the table is not wanted, move it away",
        )
    tables.restore(table, was)


def _schema(batch: Batch) -> Json:
    return {
        "columns": {name: kind.value for name, kind in batch.kinds.items()},
        "roles": asdict(batch.roles) | {"key": list(batch.roles.key), "exclude": list(batch.roles.exclude)},
    }
