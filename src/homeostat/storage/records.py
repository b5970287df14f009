"""The record of what was answered and what turned out true: write-ahead segments, moved by and by into Delta tables.

    <root>/segments/<kind>/<model>/<writer>.<incarnation>.<number>.seg
    <root>/tables/<kind>/<model>/           a Delta table, readable by anything that reads Delta
    <root>/compact.lock                     held by whoever compacts

A segment is moved by ONE Delta commit that carries (incarnation, number) as an application transaction, and deleted afterwards. A
reader reads segments first and the table second, and leaves out the segments that the table's snapshot says it has. So a crash at any
point loses nothing and shows nothing twice.
"""

import re
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from homeostat.core.errors import Conflict, InvalidInput, Unreachable
from homeostat.core.values import Json
from homeostat.storage.delta_log import newest_commit
from homeostat.storage.record_reading import Wanted, count_rows, read_rows
from homeostat.storage.record_rows import SCHEMAS, columns_of, line_of, model_of, rows_of
from homeostat.storage.record_tables import RecordTables
from homeostat.storage.segments import Done, Durability, SegmentWriter, claim, segments

if TYPE_CHECKING:
    import polars as pl

_TRIES = 5
_SYNC_S = {"strict": 0.1, "fast": 1.0, "synced": 1.0}
_WRITER = re.compile(r"[A-Za-z0-9_-]{1,64}")


class FileRecords:
    """A RecordLog in a folder. Any number of processes write (each with its own object), any read, one at a time compacts.

    Rows are JSON objects with the columns of `SCHEMAS[kind]` and `model`; a column left out is null. Rows of one call and one model are
    kept whole or not at all. A second row with the id of a first is not shown: for predictions (request_id, row, route, and the version
    of shadows), for labels `label_id`; so every revision of a label stays. `prediction` and `value` come back as what they were: all
    integers, all numbers, all booleans, else text.
    """

    def __init__(
        self,
        root: Path,
        *,
        writer_id: str,
        segment_bytes: int = 8 << 20,
        segment_age: timedelta = timedelta(minutes=1),
        durability: Durability = "strict",
    ) -> None:
        if not _WRITER.fullmatch(writer_id):
            raise InvalidInput(f"'{writer_id}' is not a writer id", hint="use letters, digits, - and _")
        if "%" in str(root):
            raise InvalidInput(
                f"delta-rs cannot write below a folder with a percent sign in its name: {root}",
                hint="move the project to a folder without one",
            )
        self._root = root
        self._tables = RecordTables(root)
        self._incarnation = f"{writer_id}.{uuid4().hex[:16]}"
        self._segment_bytes = segment_bytes
        self._segment_age_s = segment_age.total_seconds()
        self._writers: dict[tuple[str, str], SegmentWriter] = {}
        self._guard = threading.Lock()
        self._stamp = 0
        self._durability = durability
        self._waiting: dict[int, list[tuple[bytes, Done]]] = {}
        self._closed_for_good = threading.Event()
        self._syncing: threading.Thread | None = None
        self._one_thread = ThreadPoolExecutor(1, thread_name_prefix="record") if durability == "synced" else None

    def submit(self, model: str, lines: bytes, done: Done) -> None:
        """Append lines that are encoded already to the predictions, and call `done` when they are as durable as this object was made to be.

        `done` gets the reason where they are not kept. It is called before this returns, except for `synced`: there in a thread, where
        requests that come meanwhile share the next sync.
        """
        writer = self._writer("predictions", model)
        if self._syncing is None:
            self._sync_on()
        if self._one_thread is not None:
            self._gather(writer, lines, done)
            return
        writer.submit(lines, done, durability=self._durability)

    def stamps(self, count: int) -> int:
        """Return the first of so many numbers in a row, for the `seq` of lines."""
        with self._guard:
            first = max(self._stamp + 1, time.time_ns())
            self._stamp = first + count - 1
            return first

    def write(self, kind: str, rows: Sequence[Json]) -> None:
        """Append rows, durable when this returns. Thread-safe. A row that does not fit refuses all, before anything is written."""
        columns_of(kind)
        lines: dict[str, list[bytes]] = defaultdict(list)
        for row in rows:
            lines[model_of(row.get("model"))].append(line_of(kind, row, seq=self.stamps(1)))
        if self._syncing is None:
            self._sync_on()
        for model, written in lines.items():
            self._writer(kind, model).append(b"".join(written))

    def read(
        self,
        kind: str,
        model: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        columns: Sequence[str] | None = None,
        share: float = 1.0,
        of: "pl.DataFrame | None" = None,
    ) -> "pl.DataFrame":
        """Return rows received from `since` to `until`, in order of receipt; a model without rows gives none. The rest as the port says.

        Memory: that of what is returned, and of the segments not yet moved: with a share or `of`, of at most 32 MB of them.
        """
        wanted = Wanted(since=since, until=until, columns=columns, share=share, of=of)
        for _ in range(_TRIES - 1):
            with suppress(
                FileNotFoundError
            ):  # rows were erased since the table's log was read, and its files with them
                return read_rows(self._tables, kind, model, wanted)
        return read_rows(self._tables, kind, model, wanted)

    def count(self, kind: str, model: str, *, since: datetime | None = None) -> int:
        """Return about how many rows there are: those of the table, and what the segments' size says."""
        for _ in range(_TRIES - 1):
            with suppress(FileNotFoundError):
                return count_rows(self._tables, kind, model, since=since)
        return count_rows(self._tables, kind, model, since=since)

    def models(self, kind: str = "predictions") -> list[str]:
        """Return the names of the models that have rows."""
        return self._tables.models(kind)

    def stamp(self, model: str) -> str:
        """Return a word that changes whenever a row of the model is written or moved: segments with their sizes, tables with their versions."""
        marks = []
        for kind in SCHEMAS:
            for path in segments(self._root / "segments" / kind / model_of(model)):
                with suppress(FileNotFoundError):  # moved since the listing: the table's log tells
                    marks.append(f"{path.name}:{path.stat().st_size}")
            marks.append(newest_commit(self._tables.place(kind, model)))
        return "/".join(marks)

    def is_due(self) -> bool:
        for kind in SCHEMAS:
            for model in self.models(kind):
                with self._tables.closed(kind, model) as paths:
                    if paths:
                        return True
        return False

    def unmoved_bytes(self) -> int:
        return sum(self._tables.unmoved_bytes(kind, model) for kind in SCHEMAS for model in self.models(kind))

    def _gather(self, writer: SegmentWriter, lines: bytes, done: Done) -> None:
        """Hand over to the thread that syncs; what waits there for the same writer is written together."""
        with self._guard:
            waiting = self._waiting.setdefault(id(writer), [])
            waiting.append((lines, done))
            if len(waiting) > 1:
                return
        assert self._one_thread is not None
        self._one_thread.submit(self._write_gathered, writer)

    def _write_gathered(self, writer: SegmentWriter) -> None:
        with self._guard:
            waiting = self._waiting.pop(id(writer))

        def tell(error: Unreachable | None) -> None:
            for _, done in waiting:
                done(error)

        writer.submit(b"".join(lines for lines, _ in waiting), tell, durability="synced")

    def _sync_on(self) -> None:
        """Sync in the background from now on, as often as the durability promises."""
        with self._guard:
            if self._syncing is not None:
                return
            self._syncing = threading.Thread(target=self._keep_syncing, name="record-sync", daemon=True)
        self._syncing.start()

    def _keep_syncing(self) -> None:
        while not self._closed_for_good.wait(_SYNC_S[self._durability]):
            with self._guard:
                writers = list(self._writers.values())
            for writer in writers:
                writer.sync()
                writer.retire()

    def seal(self) -> None:
        """Close this writer's segments under way, so that the next `compact` takes them."""
        with self._guard:
            writers = list(self._writers.values())
        for writer in writers:
            writer.seal()

    def close(self) -> None:
        """Sync and close everything, and sync no longer in the background."""
        self._closed_for_good.set()
        if self._one_thread is not None:
            self._one_thread.shutdown()
        self.seal()

    def compact(self) -> int:
        """Move closed segments, and those of dead writers, into the tables; return the number of rows moved.

        Returns 0 where another process is compacting.
        """
        self._root.mkdir(parents=True, exist_ok=True)
        lock = self._root / "compact.lock"
        lock.touch()
        with claim(lock) as is_mine:
            if not is_mine:
                return 0
            return sum(self._tables.compact(kind, model) for kind in SCHEMAS for model in self.models(kind))

    def erase(self, model: str, keys: Sequence[str]) -> dict[str, int]:
        """Remove every row of some keys (one subject's), and the labels of its requests' rows: from segments, tables and what tables leave behind; count them by kind.

        Raises Conflict, nothing being removed, where another process compacts, or where such rows are in a segment that a living writer has
        open: writers close theirs within about a minute.
        """
        import polars as pl

        with self._tables.alone():
            for kind in SCHEMAS:
                self._tables.compact(kind, model_of(model))
            fresh = {k: rows_of(k, chain.from_iterable(b for _, b in self._tables.unmoved(k, model))) for k in SCHEMAS}
            of_key = pl.col("key").is_in(keys).fill_null(value=False)
            place = pl.concat_str(["request_id", pl.col("row").fill_null(0).cast(pl.String)], separator="\0")
            scan = pl.concat([self._tables.frame("predictions", model), fresh["predictions"].lazy()])
            places = scan.filter(of_key).select(place.unique()).collect().to_series().to_list()
            unwanted = {"predictions": of_key, "labels": of_key | place.is_in(places).fill_null(value=False)}
            if any(frame.filter(unwanted[kind]).height for kind, frame in fresh.items()):
                raise Conflict(
                    "rows of this key are in a segment that a server is still writing; nothing was erased",
                    hint="ask again in a minute",
                )
            return {kind: self._tables.drop(kind, model, unwanted[kind]) for kind in SCHEMAS}

    def drop_before(self, model: str, moment: datetime) -> dict[str, int]:
        """Remove the rows received before a moment from the tables, as `erase` does; count them by kind. Segments are younger than that."""
        import polars as pl

        with self._tables.alone():
            return {kind: self._tables.drop(kind, model_of(model), pl.col("received") < moment) for kind in SCHEMAS}

    def _writer(self, kind: str, model: str) -> SegmentWriter:
        found = self._writers.get((kind, model))
        if found is not None:
            return found
        with self._guard:
            if (kind, model) not in self._writers:
                self._writers[kind, model] = SegmentWriter(
                    self._root / "segments" / kind / model_of(model),
                    incarnation=self._incarnation,
                    max_bytes=self._segment_bytes,
                    max_age_s=self._segment_age_s,
                )
            return self._writers[kind, model]
