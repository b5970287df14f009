"""Versioned tables as Delta Lake folders, through delta-rs.

What delta-rs leaves open is settled here: rows come back in the order of their appends (its readers give no order), a value is
never cast silently to the type of an existing column, and an append with a key happens once.

A key is kept twice in the commit that writes the rows, so that both survive or neither: as an application transaction (one look
tells that a key is new) and in the commit's metadata (which says the version). An append that was undone by `restore` does not
count: the search follows the table's history through its restores.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from homeostat.core.errors import InvalidInput, NotFound, near
from homeostat.storage.blobs import flush, inside

if TYPE_CHECKING:
    import polars as pl

_LOG = "_delta_log"
_KEY = "homeostat.key"
_NOTE = "homeostat.note"
# The log is the history that versions, keys and the order of rows are read from: it does not expire.
_SETTINGS = {"delta.enableExpiredLogCleanup": "false"}


class DeltaTables:
    """A `core.ports.data.TableStore`: one Delta table per name, in a local folder. Writers of a table queue on a file lock."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        if "%" in str(self.root):
            raise InvalidInput(
                f"delta-rs cannot write below a folder with a percent sign in its name: {self.root}",
                hint="move the project to a folder without one",
            )

    def append(
        self, table: str, frame: "pl.DataFrame", *, key: str | None = None, note: dict[str, Any] | None = None
    ) -> int:
        import polars as pl

        folder = inside(self.root, table)
        with self._lock(table):
            if key is not None and (done := _version_of_key(folder, key)) is not None:
                return done
            known = pl.scan_delta(_open(folder)).collect_schema() if _exists(folder) else None
            return _append(folder, storable(frame, known, table=table), key=key, note=note)

    def read(self, table: str, *, version: int | None = None) -> "pl.DataFrame":
        import polars as pl

        folder = self._existing(table)
        opened = _open(folder, version)
        schema = pl.scan_delta(opened).collect_schema()
        files = _files_in_order(folder, opened)
        if not files:
            return pl.DataFrame(schema=schema)
        return pl.scan_parquet(files, schema=schema, missing_columns="insert", glob=False).collect()

    def version(self, table: str) -> int | None:
        folder = inside(self.root, table)
        return int(_open(folder).version()) if _exists(folder) else None

    def restore(self, table: str, version: int | None) -> None:
        if version is None:
            self._drop(table)
            return
        folder = self._existing(table)
        with self._lock(table):
            opened = _open(folder)
            if version > opened.version() or version < 0:
                raise _no_version(folder, version, int(opened.version()))
            if version != opened.version():
                opened.restore(version)
                flush(folder / _LOG)

    def _drop(self, table: str) -> None:
        from shutil import rmtree

        folder = inside(self.root, table)
        with self._lock(table):
            if folder.exists():
                aside = self.root / ".locks" / uuid4().hex
                folder.rename(aside)
                rmtree(aside)

    def _existing(self, table: str) -> Path:
        folder = inside(self.root, table)
        if not _exists(folder):
            names = [p.parent.relative_to(self.root).as_posix() for p in self.root.glob(f"**/{_LOG}")]
            raise NotFound(f"no table '{table}'", hint=near(table, names) or "no table has been written yet")
        return folder

    @contextmanager
    def _lock(self, table: str) -> Iterator[None]:
        locks = self.root / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        with (locks / (table.replace("/", "%") + ".lock")).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def storable(frame: "pl.DataFrame", known: "pl.Schema | None", *, table: str) -> "pl.DataFrame":
    """Return the frame in types that Delta keeps, equal to those of the columns that the table has already.

    Integers become Int64 (UInt64 beyond its range Float64), categories and times of day String, durations Int64 microseconds.
    Raise InvalidInput where a column would change its type or a value would change.
    """
    _refuse_names_that_differ_in_case(frame, known)
    out = frame.with_columns(_plain(column) for column in frame.iter_columns())
    if known is None:
        return out
    return out.with_columns(
        _as_known(column, known[column.name], table) for column in out.iter_columns() if column.name in known
    )


def _plain(column: "pl.Series") -> "pl.Series":
    import polars as pl

    dtype = column.dtype
    match dtype:
        case pl.Null() | pl.Categorical() | pl.Enum() | pl.Time():
            return column.cast(pl.String)
        case pl.UInt64() | pl.Int128():
            fits = column.cast(pl.Int64, strict=False)
            return fits if fits.null_count() == column.null_count() else column.cast(pl.Float64)
        case pl.Duration():
            return column.dt.total_microseconds()
        case pl.Datetime() if dtype.time_unit != "us":
            return column.dt.cast_time_unit("us")
        case _ if dtype.is_integer():
            return column.cast(pl.Int64)
    return column


def _as_known(column: "pl.Series", wanted: "pl.DataType", table: str) -> "pl.Series":
    import polars as pl

    if column.dtype == wanted:
        return column
    if column.null_count() == len(column):
        return pl.Series(column.name, [None] * len(column), dtype=wanted)
    if column.dtype.is_numeric() and wanted.is_numeric():
        cast = column.cast(wanted, strict=False)
        back = cast.cast(column.dtype, strict=False)
        if bool((back.eq_missing(column)).all()):
            return cast
    raise InvalidInput(
        f"column '{column.name}' is {column.dtype}, but {wanted} in table '{table}'",
        hint="cast it, or give the new column another name: a table keeps the type of a column",
    )


def _refuse_names_that_differ_in_case(frame: "pl.DataFrame", known: "pl.Schema | None") -> None:
    seen: dict[str, str] = {}
    for name in dict.fromkeys([*(known or {}), *frame.columns]):
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise InvalidInput(
                f"columns '{other}' and '{name}' differ only in upper and lower case, which a Delta table cannot keep",
                hint="rename one of them",
            )


def _append(folder: Path, frame: "pl.DataFrame", *, key: str | None, note: dict[str, Any] | None) -> int:
    from deltalake import CommitProperties, Transaction, write_deltalake

    metadata = {}
    if key is not None:
        metadata[_KEY] = key
    if note is not None:
        metadata[_NOTE] = json.dumps(note)
    marks = [Transaction(key, 1)] if key is not None else None
    write_deltalake(
        str(folder),
        frame,
        mode="append",
        schema_mode="merge",
        configuration=_SETTINGS,
        commit_properties=CommitProperties(custom_metadata=metadata or None, app_transactions=marks),
    )
    version = int(_open(folder).version())
    commit = folder / _LOG / f"{version:020d}.json"
    for path in [*(folder / name for name in _added(commit)), commit, folder, folder / _LOG]:
        flush(path)
    return version


def _exists(folder: Path) -> bool:
    """A table is there when its first commit is: a crash before it leaves files that no one sees."""
    return (folder / _LOG).is_dir() and any((folder / _LOG).glob("*.json"))


def _open(folder: Path, version: int | None = None) -> Any:
    from deltalake import DeltaTable

    newest = DeltaTable(str(folder))
    if version is None or version == newest.version():
        return newest
    if not 0 <= version < newest.version():
        raise _no_version(folder, version, int(newest.version()))
    return DeltaTable(str(folder), version=version)


def _no_version(folder: Path, version: int, newest: int) -> NotFound:
    return NotFound(f"table '{folder.name}' has no version {version}", hint=f"its versions are 0 to {newest}")


def _version_of_key(folder: Path, key: str) -> int | None:
    """Return the version that an append with the key made, if no restore has undone it."""
    if not _exists(folder):
        return None
    opened = _open(folder)
    if opened.transaction_version(key) is None:
        return None
    below = int(opened.version())
    for commit in opened.history():
        version = int(commit["version"])
        if version > below:
            continue
        if commit.get(_KEY) == key:
            return version
        below = int(commit["operationParameters"]["version"]) if commit["operation"] == "RESTORE" else version - 1
    return None


def _files_in_order(folder: Path, opened: Any) -> list[Path]:
    """Return the data files of a version in the order of the commits that first added them."""
    live = {Path(uri).name for uri in opened.file_uris()}  # the folder part is percent-encoded
    if len(live) == 1:
        return [folder / name for name in live]
    ordered: dict[str, Path] = {}
    for commit in sorted((folder / _LOG).glob("*.json"), key=lambda path: path.stem):
        for name in sorted(_added(commit)):
            if name in live:
                ordered.setdefault(name, folder / name)
        if len(ordered) == len(live):
            break
    return list(ordered.values())


def _added(commit: Path) -> list[str]:
    """Return the names of the files that a commit added. delta-rs numbers the parts of one write in their order."""
    actions = (json.loads(line) for line in commit.read_text(encoding="utf-8").splitlines() if line)
    return [action["add"]["path"] for action in actions if "add" in action]
