"""The one place that knows the real adapters: from a project's folder to the objects behind the ports."""

import getpass
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.app.clock import SystemClock
from homeostat.core.errors import InvalidInput
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.data import TableStore
from homeostat.core.ports.record_log import RecordLog
from homeostat.core.ports.store import Store

if TYPE_CHECKING:
    from homeostat.app.project import Place
    from homeostat.retrain.project import Project
    from homeostat.serve.recording import Recording

DATABASE_VARIABLE = "HOMEOSTAT_DATABASE"
ARTIFACTS_VARIABLE = "HOMEOSTAT_ARTIFACTS"
RECORDS_VARIABLE = "HOMEOSTAT_RECORDS"
TABLES_VARIABLE = "HOMEOSTAT_TABLES"
CACHE_VARIABLE = "HOMEOSTAT_CACHE_GB"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Everything that a use case needs, opened on one project."""

    place: "Place"
    store: Store
    tables: TableStore
    blobs: BlobStore
    records: RecordLog
    clock: Clock
    actor: str

    @property
    def project(self) -> "Project":
        return self.place.project

    @property
    def root(self) -> Path:
        return self.place.root

    @property
    def workdir(self) -> Path:
        """A folder for files that outlive no process."""
        folder = self.place.state / "work"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder


def open_house(place: "Place", *, writer_id: str, actor: str | None = None, clock: Clock | None = None) -> House:
    """Open the project's stores. `writer_id` names this process in the record of predictions and labels."""
    from homeostat.storage.sql.store import open_store
    from homeostat.storage.tables.delta import DeltaTables

    place.state.mkdir(exist_ok=True, mode=0o700)
    return House(
        place=place,
        store=open_store(database_url(place)),
        tables=DeltaTables(Path(os.environ.get(TABLES_VARIABLE) or place.state / "tables")),
        blobs=open_blobs(os.environ.get(ARTIFACTS_VARIABLE) or str(place.state / "blobs"), cache=place.state / "cache"),
        records=open_records(place, writer_id=writer_id),
        clock=clock or SystemClock(),
        actor=actor or whoami(),
    )


def open_records(place: "Place", *, writer_id: str) -> RecordLog:
    """Open the record of predictions and labels alone: below the state folder, or in HOMEOSTAT_RECORDS, a folder that several machines share."""
    from homeostat.storage.records import FileRecords

    root = Path(os.environ.get(RECORDS_VARIABLE) or place.state / "records")
    return FileRecords(root, writer_id=writer_id, durability=place.project.serve.durability)


def recording_of(place: "Place") -> "Recording":
    """Return what of answers goes into the project's record. Hashing makes its key at first use."""
    from homeostat.app import record_key
    from homeostat.serve.recording import Recording

    settings = place.project.record
    is_shared = RECORDS_VARIABLE in os.environ
    return Recording(
        share=settings.sample,
        drop=settings.drop,
        hashes=settings.hash,
        key_column=place.project.key_column,
        secret=record_key.find_or_make(place.state, is_shared=is_shared) if settings.hash else b"",
        groups={name: place.project.data.columns.get(name) for name in place.project.group_columns},
    )


def open_tracking(database: str, artifacts: str) -> tuple[Store, BlobStore]:
    """Open what the tracking server alone keeps: metadata at a database's URL, artifacts in a folder or at a bucket's URL."""
    from homeostat.storage.sql.store import open_store

    return open_store(database), open_blobs(artifacts, cache=Path(".homeostat") / "cache")


def open_blobs(where: str, *, cache: Path) -> BlobStore:
    """Open a folder, or a bucket by its URL: `s3://bucket/prefix`, with what AWS_* variables say. `cache`: where local copies go."""
    from homeostat.storage.blobs import LocalBlobs

    scheme, mark, _ = where.partition("://")
    if not mark:
        return LocalBlobs(Path(where))
    from homeostat.storage.blob_cache import BlobCache
    from homeostat.storage.blobs_object import SCHEMES, ObjectBlobs

    if scheme not in SCHEMES:
        raise InvalidInput(
            f"'{scheme}://' is not a place that artifacts can be kept in",
            hint=f"give a folder, or a bucket: {', '.join(f'{each}://bucket/prefix' for each in SCHEMES)}",
        )
    return ObjectBlobs(where, cache=BlobCache(cache, most_bytes=_most_cached()))


def _most_cached() -> int:
    text = os.environ.get(CACHE_VARIABLE) or "10"
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < float("inf"):
        raise InvalidInput(
            f"{CACHE_VARIABLE} is no size: '{text}'", hint="write how many GB copies of artifacts may take: 10"
        )
    return int(gigabytes * 1e9)


def database_url(place: "Place") -> str:
    """Return where the metadata are kept: HOMEOSTAT_DATABASE, else a SQLite file in the project's state folder."""
    named = os.environ.get(DATABASE_VARIABLE)
    if named and "://" not in named:
        raise InvalidInput(
            f"{DATABASE_VARIABLE} is no database URL",  # its value may hold a password
            hint="write sqlite:////folder/file.db or postgresql+psycopg://user@host/name, or leave it unset",
        )
    return named or f"sqlite:///{place.state / 'homeostat.db'}"


def workflow_database_url(place: "Place") -> str:
    """Return where DBOS keeps its own tables."""
    return os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{place.state / 'workflows.db'}"


def whoami() -> str:
    """Return the name that the audit log gives to what this process's user does."""
    return os.environ.get("HOMEOSTAT_ACTOR") or getpass.getuser()
