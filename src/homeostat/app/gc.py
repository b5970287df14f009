"""Freeing what was deleted: rows first, in one transaction with the audit event that says so, then the files that nothing names any more.

A crash in between leaves files without a name, which the next time finds. What a registered version is made of stays, whatever became of
the run that made it. The numbers of deleted versions stay taken.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from homeostat.audit.log import record
from homeostat.core.errors import HomeostatError, InvalidInput
from homeostat.core.garbage import Deleted
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.store import Store
from homeostat.core.queries import ExperimentQuery
from homeostat.core.records.blobs import BlobInfo
from homeostat.track.artifacts import SCHEME, blob_at

_BATCH = 500
_UPLOADED, _OWN, _PARTS, _IMPORTED = "artifacts", "runs", "uploads", "artifacts/imported"
_RUN = re.compile(r"[0-9a-f]{32}")
_INSIDE = {"models": re.compile(r"m-[0-9a-f]{32}"), "traces": re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")}
_DEFAULT = "0"
_LEAST = timedelta(days=1)  # an upload that has had nothing for so long is not under way any more


@dataclass(slots=True)
class Freed:
    """What goes, or went. `unfinished` are uploads that nobody goes on with; `kept` says what could not go, and why."""

    runs: list[str] = field(default_factory=list)
    logged_models: list[str] = field(default_factory=list)
    experiments: list[str] = field(default_factory=list)
    traces: int = 0
    blobs: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    files: int = 0
    size_bytes: int = 0
    kept: list[str] = field(default_factory=list)


def collect(
    *,
    store: Store,
    blobs: BlobStore,
    actor: str,
    now: datetime,
    older_than: timedelta = timedelta(),
    dry_run: bool = False,
) -> Freed:
    """Free what was deleted at least `older_than` ago, and files without a name; with `dry_run`, only say what that would be."""
    if older_than < timedelta():
        raise InvalidInput("a length of time before now must not be negative")
    before = now - older_than
    freed = Freed()
    candidates = list(
        _candidates(store, blobs)
    )  # before the names are read: what is begun meanwhile has a name by then
    with store.read() as tx:
        versions = tx.garbage.versions_at()
        runs, needed_runs = _divided(tx.garbage.runs(before=before), versions, freed, "run")
        models, needed_models = _divided(tx.garbage.logged_models(before=before), versions, freed, "logged model")
        experiments = _empty(tx.garbage.experiments(before=before), [*needed_runs, *needed_models], freed)
        traces = [trace_id for each in experiments for trace_id in tx.traces.ids(experiment_id=each.id)]
    freed.runs, freed.logged_models = [each.id for each in runs], [each.id for each in models]
    freed.experiments, freed.traces = [each.id for each in experiments], len(traces)
    if not dry_run:
        _remove_rows(store, freed, actor=actor, now=now)
    gone = {*freed.runs, *freed.logged_models, *traces}
    with store.read() as tx:
        named = {_blob(each) for each in tx.garbage.named()}
        known = tx.garbage.known(_last(path) for path in candidates) - gone
    if dry_run:
        named = {each for each in named if gone.isdisjoint(each.split("/"))}
    above = {folder for each in named for folder in _folders(each)}
    for path in candidates:
        is_named = path in above or not named.isdisjoint(_folders(path))
        if not is_named and _last(path) not in known:
            _free(blobs, path, freed, dry_run=dry_run)
    _free_unfinished(blobs, freed, before=now - max(older_than, _LEAST), dry_run=dry_run)
    if not dry_run and (freed.blobs or freed.unfinished):
        with store.write() as tx:
            payload = {"blobs": len(freed.blobs), "files": freed.files, "bytes": freed.size_bytes}
            record(tx, "blobs.freed", subject="store", actor=actor, time=now, payload=payload)
    return freed


def _divided(
    found: list[Deleted], versions: dict[str, str], freed: Freed, what: str
) -> tuple[list[Deleted], list[Deleted]]:
    """Those that go, and those that a registered version is made of."""
    going, needed = [], []
    for each in found:
        of = next((name for location, name in versions.items() if _is_below(location, each.artifacts)), None)
        if of is None:
            going.append(each)
        else:
            needed.append(each)
            freed.kept.append(f"{what} {each.id}: version {of} is made of its files")
    return going, needed


def _empty(found: list[Deleted], needed: list[Deleted], freed: Freed) -> list[Deleted]:
    """Those experiments that nothing keeps any more."""
    held = {each.experiment_id: each.id for each in needed}
    out = []
    for each in found:
        if each.id == _DEFAULT:
            freed.kept.append(f"experiment {each.id}: it is where runs go when no experiment is named")
        elif each.id in held:
            freed.kept.append(f"experiment {each.id}: {held[each.id]} in it is still needed")
        else:
            out.append(each)
    return out


def _remove_rows(store: Store, freed: Freed, *, actor: str, now: datetime) -> None:
    for kind, ids in (("runs", freed.runs), ("logged_models", freed.logged_models)):
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            with store.write() as tx:
                (tx.garbage.remove_runs if kind == "runs" else tx.garbage.remove_logged_models)(part)
                record(tx, f"{kind}.freed", subject="store", actor=actor, time=now, payload={"ids": part})
    for experiment_id in freed.experiments:
        with store.write() as tx:
            payload = {"traces": tx.garbage.remove_experiment(experiment_id)}
            subject = f"experiment:{experiment_id}"
            record(tx, "experiment.freed", subject=subject, actor=actor, time=now, payload=payload)


def _candidates(store: Store, blobs: BlobStore) -> Iterator[str]:  # noqa: C901 - one loop per kind of place
    """Folders that belong to one run, logged model, trace or imported version each, by where they are. What else there is, is left alone."""
    with store.read() as tx:
        found = tx.experiments.search(ExperimentQuery(stages=("active", "deleted"), limit=1_000_000))
    places = {
        f"{_UPLOADED}/{entry.name}" for entry in blobs.entries(_UPLOADED) if entry.is_folder and entry.name.isdecimal()
    }
    places |= {_blob(each.artifacts) for each in found if each.artifacts}
    for place in sorted(places):
        for entry in blobs.entries(place):
            if entry.is_folder and _RUN.fullmatch(entry.name):
                yield f"{place}/{entry.name}"
            elif entry.is_folder and (pattern := _INSIDE.get(entry.name)):
                for inner in blobs.entries(f"{place}/{entry.name}"):
                    if inner.is_folder and pattern.fullmatch(inner.name):
                        yield f"{place}/{entry.name}/{inner.name}"
    for entry in blobs.entries(_OWN):
        if entry.is_folder and _RUN.fullmatch(entry.name):
            yield f"{_OWN}/{entry.name}"
    for model in blobs.entries(_IMPORTED):
        for version in blobs.entries(f"{_IMPORTED}/{model.name}"):
            yield f"{_IMPORTED}/{model.name}/{version.name}"


def _free(blobs: BlobStore, path: str, freed: Freed, *, dry_run: bool) -> None:
    for file in _files(blobs, path):
        freed.files += 1
        freed.size_bytes += file.size_bytes or 0
    freed.blobs.append(path)
    if not dry_run:
        blobs.delete(path)


def _free_unfinished(blobs: BlobStore, freed: Freed, *, before: datetime, dry_run: bool) -> None:
    """Uploads in parts that nobody went on with since then, and what writers that were killed left."""
    for entry in blobs.entries(_PARTS):
        upload = f"{_PARTS}/{entry.name}"
        if all(each.changed is not None and each.changed < before for each in _files(blobs, upload)):
            _free(blobs, upload, freed, dry_run=dry_run)
            freed.unfinished.append(upload)
    left = blobs.leftovers(before=before)
    for each in left:
        freed.files += 1
        freed.size_bytes += each.size_bytes or 0
        freed.unfinished.append(f"{each.name}, {each.size_bytes or 0:,} bytes that a killed process left")
    if not dry_run:
        blobs.clear(left)


def _files(blobs: BlobStore, path: str) -> Iterator[BlobInfo]:
    for entry in blobs.entries(path):
        if entry.is_folder:
            yield from _files(blobs, f"{path}/{entry.name}")
        else:
            yield entry


def _folders(path: str) -> Iterator[str]:
    """The path itself and every folder above it."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _is_below(address: str, root: str) -> bool:
    return bool(root) and f"{_blob(address)}/".startswith(f"{_blob(root)}/")


def _blob(address: str) -> str:
    """The blob at an address; one that is not kept here stays as it is, and matches nothing."""
    if not address.startswith(SCHEME):
        return address.rstrip("/")
    try:
        return blob_at(address)
    except HomeostatError:
        return address
