"""Tables of the record: closed segments are moved into them, exactly once, and rows are removed from them for good."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.core.errors import Conflict
from homeostat.storage.delta_log import FOLDER, snapshot
from homeostat.storage.purging import purge, replace
from homeostat.storage.record_rows import columns_of, kept_schema_of, rows_of
from homeostat.storage.segments import SegmentName, claim, read_segment, segments

if TYPE_CHECKING:
    import polars as pl
    from deltalake import DeltaTable

log = logging.getLogger(__name__)

_BATCH_BYTES = 64 << 20
_MANY_FILES = 32


class RecordTables:
    """The segments and tables below a folder, whoever writes there."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def models(self, kind: str = "predictions") -> list[str]:
        """Return the names of the models that have rows."""
        columns_of(kind)
        folders = [self.root / place / kind for place in ("segments", "tables")]
        return sorted({path.name for folder in folders if folder.is_dir() for path in folder.iterdir()})

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock of whoever compacts; raise Conflict where another process has it."""
        self.root.mkdir(parents=True, exist_ok=True)
        lock = self.root / "compact.lock"
        lock.touch()
        with claim(lock) as is_mine:
            if not is_mine:
                raise Conflict("the record is being compacted", hint="ask again in a moment")
            yield

    def frame(self, kind: str, model: str) -> "pl.LazyFrame":
        """Return what the table has, unread."""
        import polars as pl

        place = self.place(kind, model)
        schema = kept_schema_of(kind)
        table = snapshot(place)
        if table is None or not table.files:
            return pl.LazyFrame(schema=schema)
        return pl.scan_parquet(
            [place / name for name in table.files], schema=schema, glob=False, missing_columns="insert"
        )

    def drop(self, kind: str, model: str, unwanted: "pl.Expr") -> int:
        """Write the table without some of its rows, where it has any; the bytes go too. The lock is held by the caller."""
        import polars as pl

        scan = self.frame(kind, model)
        count = int(scan.filter(unwanted).select(pl.len()).collect().item())
        if count:
            replace(self.place(kind, model), scan.filter(~unwanted).collect())
        else:
            purge(self.place(kind, model))  # an erasure before this one may have died half-way
        for torn in (self.root / "segments" / kind / model).glob("*.torn"):
            torn.unlink()
        return count

    def compact(self, kind: str, model: str) -> int:
        """Move the closed segments of a model into its table; return the number of rows moved. The lock is held by the caller."""
        rows = 0
        while True:
            with self.closed(kind, model) as paths:
                if not paths:
                    return rows
                rows += self._move(kind, model, paths)

    def _move(self, kind: str, model: str, paths: list[Path]) -> int:
        """Put segments into the table by one commit, then delete them. They are locked by the caller."""
        from deltalake import CommitProperties, Transaction, write_deltalake

        table = self._table(kind, model)
        names = [SegmentName.of(path) for path in paths]
        contents = [read_segment(path) for path in paths]
        done = {n.incarnation: 0 if table is None else _moved(table, n.incarnation) for n in names}
        fresh = [c.blocks for n, c in zip(names, contents, strict=True) if n.number > done[n.incarnation]]
        frame = rows_of(kind, chain.from_iterable(fresh))
        if len(frame):
            newest = {n.incarnation: n.number for n in names if n.number > done[n.incarnation]}
            write_deltalake(
                table or self.place(kind, model),
                frame,
                mode="append",
                schema_mode="merge",
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(incarnation, number) for incarnation, number in newest.items()]
                ),
            )
        for path, content in zip(paths, contents, strict=True):
            if content.torn_bytes:
                log.warning("record.segment_torn", extra={"segment": path.name, "bytes": content.torn_bytes})
                path.rename(path.with_suffix(".torn"))
            else:
                path.unlink()
        table = self._table(kind, model)
        if table is not None and len(table.file_uris()) > _MANY_FILES:
            table.optimize.compact()
            table.vacuum(dry_run=False)  # files left behind a week ago: no reader has them open any more
        return len(frame)

    @contextmanager
    def closed(self, kind: str, model: str) -> Iterator[list[Path]]:
        """Yield closed segments, locked, oldest first per incarnation, about 64 MB of them."""
        taken: list[Path] = []
        is_open: set[str] = set()
        size = 0
        with ExitStack() as held:
            for path in segments(self.root / "segments" / kind / model):
                incarnation = SegmentName.of(path).incarnation
                if size >= _BATCH_BYTES or incarnation in is_open:
                    continue
                if not held.enter_context(claim(path)):
                    is_open.add(incarnation)
                    continue
                size += path.stat().st_size
                taken.append(path)
            yield taken

    def unmoved(self, kind: str, model: str, *, most: int | None = None) -> list[tuple[SegmentName, list[bytes]]]:
        """Return the blocks of lines of each segment, oldest first, of at most so many bytes; the table may have some of them already."""
        found = []
        size = 0
        for path in segments(self.root / "segments" / kind / model):
            size += _size(path)
            if most is not None and size > most:
                break
            try:
                found.append((SegmentName.of(path), read_segment(path).blocks))
            except FileNotFoundError:
                continue  # moved since the listing: the table, read after this, has it
        return found

    def unmoved_bytes(self, kind: str, model: str) -> int:
        """Return the size of the segments."""
        return sum(_size(path) for path in segments(self.root / "segments" / kind / model))

    def place(self, kind: str, model: str) -> Path:
        """Return the folder of a table."""
        return self.root / "tables" / kind / model

    def _table(self, kind: str, model: str) -> "DeltaTable | None":
        place = self.place(kind, model)
        if not (place / FOLDER).is_dir():
            return None
        from deltalake import DeltaTable

        return DeltaTable(place) if DeltaTable.is_deltatable(str(place)) else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # moved since the listing


def _moved(table: "DeltaTable", incarnation: str) -> int:
    """Return the number of the newest segment of that incarnation that the table has, 0 for none."""
    return int(table.transaction_version(incarnation) or 0)
