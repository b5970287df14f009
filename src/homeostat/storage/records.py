"""The record of what was answered and what turned out true: write-ahead segments, moved by and by into Delta tables.

    <root>/segments/<kind>/<model>/<writer>.<incarnation>.<number>.seg
    <root>/tables/<kind>/<model>/           a Delta table, readable by anything that reads Delta
    <root>/compact.lock                     held by whoever compacts

A segment is moved by ONE Delta commit that carries (incarnation, number) as an application transaction, and deleted afterwards. A
reader reads segments first and the table second, and leaves out the segments that the table's snapshot says it has. So a crash at any
point loses nothing and shows nothing twice.
"""

import logging
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
import polars as pl

from homeostat.core.errors import Conflict, InvalidInput, Unreachable
from homeostat.core.values import Json
from homeostat.storage.bulk import apart, frame_of
from homeostat.storage.delta_log import FOLDER, newest_commit, snapshot
from homeostat.storage.purging import purge, replace
from homeostat.storage.segments import Done, Durability, SegmentName, SegmentWriter, claim, read_segment, segments

if TYPE_CHECKING:
    from deltalake import DeltaTable

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME = pl.Datetime("us", "UTC")
_TIMES = ("received", "event_time")
_BATCH_BYTES = 64 << 20
_MANY_FILES = 32
_TRIES = 5
_SYNC_S = {"strict": 0.1, "fast": 1.0, "synced": 1.0}

SCHEMAS: dict[str, dict[str, pl.DataType]] = {
    "predictions": {
        "request_id": pl.String(),
        "row": pl.Int64(),
        "key": pl.String(),
        "received": _TIME,
        "event_time": _TIME,
        "version": pl.Int64(),
        "route": pl.String(),
        "status": pl.String(),
        "latency_ms": pl.Float64(),
        "features": pl.String(),
        "prediction": pl.String(),
        "scores": pl.List(pl.Float64()),
        "error": pl.String(),
        "caller": pl.String(),
        "trace": pl.String(),
        "sample": pl.Float64(),
    },
    "labels": {
        "request_id": pl.String(),
        "row": pl.Int64(),
        "key": pl.String(),
        "value": pl.String(),
        "groups": pl.String(),
        "received": _TIME,
        "event_time": _TIME,
        "label_id": pl.String(),
    },
}
_VALUE = {"predictions": "prediction", "labels": "value"}
_IDENTITY = {
    "predictions": [
        pl.col("request_id"),
        pl.col("row"),
        pl.col("route"),
        pl.when(pl.col("route") == "shadow").then(pl.col("version")),
    ],
    "labels": [pl.col("label_id")],
}
_COLUMNS = {kind: frozenset([*schema, "model"]) for kind, schema in SCHEMAS.items()}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
_WRITER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_encode = msgspec.json.Encoder().encode


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
        writer = self._writer("predictions", _model(model))
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
        columns = _known(kind)
        lines: dict[str, list[bytes]] = defaultdict(list)
        for row in rows:
            lines[_model(row.get("model"))].append(self._line(kind, columns, row))
        if self._syncing is None:
            self._sync_on()
        for model, written in lines.items():
            self._writer(kind, model).append(b"".join(written))

    def read(self, kind: str, model: str, *, since: datetime | None = None) -> pl.DataFrame:
        """Return all rows received at or after `since`, in order of receipt. A model without rows gives none."""
        for _ in range(_TRIES - 1):
            with suppress(
                FileNotFoundError
            ):  # rows were erased since the table's log was read, and its files with them
                return self._read(kind, model, since)
        return self._read(kind, model, since)

    def _read(self, kind: str, model: str, since: datetime | None) -> pl.DataFrame:
        _known(kind)
        fresh = self._unmoved(kind, _model(model))
        place = self._place(kind, model)
        table = snapshot(place)
        moved = {} if table is None else table.transactions
        unmoved = _parse(kind, b"".join(payload for n, payload in fresh if n.number > moved.get(n.incarnation, 0)))
        everything = unmoved
        if table is not None and table.files:
            scan = pl.scan_parquet(
                [place / name for name in table.files], schema=unmoved.schema, glob=False, missing_columns="insert"
            )
            everything = pl.concat(
                [(scan if since is None else scan.filter(pl.col("received") >= since)).collect(), unmoved]
            )
        if since is not None:
            everything = everything.filter(pl.col("received") >= since)
        everything = everything.sort("received", "seq", maintain_order=True)
        everything = everything.unique(subset=_IDENTITY[kind], keep="first", maintain_order=True)
        return everything.drop("seq").with_columns(_decoded(everything[_VALUE[kind]]))

    def models(self, kind: str = "predictions") -> list[str]:
        """Return the names of the models that have rows."""
        _known(kind)
        folders = [self._root / place / kind for place in ("segments", "tables")]
        return sorted({path.name for folder in folders if folder.is_dir() for path in folder.iterdir()})

    def stamp(self, model: str) -> str:
        """Return a word that changes whenever a row of the model is written or moved: segments with their sizes, tables with their versions."""
        marks = []
        for kind in SCHEMAS:
            for path in segments(self._root / "segments" / kind / _model(model)):
                with suppress(FileNotFoundError):  # moved since the listing: the table's log tells
                    marks.append(f"{path.name}:{path.stat().st_size}")
            marks.append(newest_commit(self._place(kind, model)))
        return "/".join(marks)

    def is_due(self) -> bool:
        for kind in SCHEMAS:
            for model in self.models(kind):
                with self._closed(kind, model) as paths:
                    if paths:
                        return True
        return False

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
            return sum(self._compact(kind, model) for kind in SCHEMAS for model in self.models(kind))

    def erase(self, model: str, keys: Sequence[str]) -> dict[str, int]:
        """Remove every row of some keys (one subject's), and the labels of its requests' rows: from segments, tables and what tables leave behind; count them by kind.

        Raises Conflict, nothing being removed, where another process compacts, or where such rows are in a segment that a living writer has
        open: writers close theirs within about a minute.
        """
        with self._compacting():
            for kind in SCHEMAS:
                self._compact(kind, _model(model))
            fresh = {k: _parse(k, b"".join(part for _, part in self._unmoved(k, model))) for k in SCHEMAS}
            of_key = pl.col("key").is_in(keys).fill_null(value=False)
            place = pl.concat_str(["request_id", pl.col("row").fill_null(0).cast(pl.String)], separator="\0")
            scan = pl.concat([self._frame("predictions", model), fresh["predictions"].lazy()])
            places = scan.filter(of_key).select(place.unique()).collect().to_series().to_list()
            unwanted = {"predictions": of_key, "labels": of_key | place.is_in(places).fill_null(value=False)}
            if any(frame.filter(unwanted[kind]).height for kind, frame in fresh.items()):
                raise Conflict(
                    "rows of this key are in a segment that a server is still writing; nothing was erased",
                    hint="ask again in a minute",
                )
            return {kind: self._drop(kind, model, unwanted[kind]) for kind in SCHEMAS}

    def drop_before(self, model: str, moment: datetime) -> dict[str, int]:
        """Remove the rows received before a moment from the tables, as `erase` does; count them by kind. Segments are younger than that."""
        with self._compacting():
            return {kind: self._drop(kind, _model(model), pl.col("received") < moment) for kind in SCHEMAS}

    @contextmanager
    def _compacting(self) -> Iterator[None]:
        self._root.mkdir(parents=True, exist_ok=True)
        lock = self._root / "compact.lock"
        lock.touch()
        with claim(lock) as is_mine:
            if not is_mine:
                raise Conflict("the record is being compacted", hint="ask again in a moment")
            yield

    def _frame(self, kind: str, model: str) -> pl.LazyFrame:
        place = self._place(kind, model)
        schema = {"seq": pl.Int64(), **SCHEMAS[kind]}
        table = snapshot(place)
        if table is None or not table.files:
            return pl.LazyFrame(schema=schema)
        return pl.scan_parquet(
            [place / name for name in table.files], schema=schema, glob=False, missing_columns="insert"
        )

    def _drop(self, kind: str, model: str, unwanted: pl.Expr) -> int:
        """Write the table without some of its rows, where it has any; the bytes go too. The lock is held by the caller."""
        scan = self._frame(kind, model)
        count = int(scan.filter(unwanted).select(pl.len()).collect().item())
        if count:
            replace(self._place(kind, model), scan.filter(~unwanted).collect())
        else:
            purge(self._place(kind, model))  # an erasure before this one may have died half-way
        for torn in (self._root / "segments" / kind / model).glob("*.torn"):
            torn.unlink()
        return count

    def _compact(self, kind: str, model: str) -> int:
        rows = 0
        while True:
            with self._closed(kind, model) as paths:
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
        frame = _parse(
            kind, b"".join(c.payload for n, c in zip(names, contents, strict=True) if n.number > done[n.incarnation])
        )
        if len(frame):
            newest = {n.incarnation: n.number for n in names if n.number > done[n.incarnation]}
            write_deltalake(
                table or self._place(kind, model),
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
    def _closed(self, kind: str, model: str) -> Iterator[list[Path]]:
        """Yield closed segments, locked, oldest first per incarnation, about 64 MB of them."""
        taken: list[Path] = []
        is_open: set[str] = set()
        size = 0
        with ExitStack() as held:
            for path in segments(self._root / "segments" / kind / model):
                incarnation = SegmentName.of(path).incarnation
                if size >= _BATCH_BYTES or incarnation in is_open:
                    continue
                if not held.enter_context(claim(path)):
                    is_open.add(incarnation)
                    continue
                size += path.stat().st_size
                taken.append(path)
            yield taken

    def _unmoved(self, kind: str, model: str) -> list[tuple[SegmentName, bytes]]:
        found = []
        for path in segments(self._root / "segments" / kind / model):
            try:
                found.append((SegmentName.of(path), read_segment(path).payload))
            except FileNotFoundError:
                continue  # moved since the listing: the table, read after this, has it
        return found

    def _place(self, kind: str, model: str) -> Path:
        return self._root / "tables" / kind / model

    def _table(self, kind: str, model: str) -> "DeltaTable | None":
        place = self._place(kind, model)
        if not (place / FOLDER).is_dir():
            return None
        from deltalake import DeltaTable

        return DeltaTable(place) if DeltaTable.is_deltatable(str(place)) else None

    def _writer(self, kind: str, model: str) -> SegmentWriter:
        with self._guard:
            if (kind, model) not in self._writers:
                self._writers[kind, model] = SegmentWriter(
                    self._root / "segments" / kind / model,
                    incarnation=self._incarnation,
                    max_bytes=self._segment_bytes,
                    max_age_s=self._segment_age_s,
                )
            return self._writers[kind, model]

    def _line(self, kind: str, columns: frozenset[str], row: Json) -> bytes:
        if not columns.issuperset(row):
            raise InvalidInput(
                f"the record of {kind} has no column {sorted(set(row) - columns)}", hint=f"known: {sorted(columns)}"
            )
        if row.get("received") is None:
            raise InvalidInput(f"a row of {kind} needs the time at which it was received")
        line = {**row, "seq": self.stamps(1)}
        del line["model"]
        for name in _TIMES:
            if line.get(name) is not None:
                line[name] = _microseconds(line[name])
        value = _VALUE[kind]
        if line.get(value) is not None:
            text = _encode(line[value]).decode()
            line[value] = None if text == "null" else text
        if isinstance(line.get("features"), dict):
            line["features"] = _encode(line["features"]).decode()
        return _encode(line) + b"\n"


def _known(kind: str) -> frozenset[str]:
    if kind not in _COLUMNS:
        raise InvalidInput(f"there is no record of '{kind}'", hint=f"known: {', '.join(SCHEMAS)}")
    return _COLUMNS[kind]


def _model(name: Any) -> str:
    """Return the name if it is one (it becomes a folder's); raise InvalidInput otherwise."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is not a model's name", hint="letters, digits, - and _, a letter first")
    return name


def _microseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise InvalidInput(f"the time {moment.isoformat()} has no time zone", hint="times in the record are UTC")
    return (moment - _EPOCH) // _MICROSECOND


def _parse(kind: str, lines: bytes) -> pl.DataFrame:
    stored = {"seq": pl.Int64(), **SCHEMAS[kind]}
    if not lines:
        return pl.DataFrame(schema=stored)
    wire = {name: pl.Int64() if name in _TIMES else dtype for name, dtype in stored.items()}
    single, many = apart(lines)
    frame = pl.read_ndjson(BytesIO(single), schema=wire) if single.strip() else pl.DataFrame(schema=wire)
    if many:
        frame = pl.concat([frame, frame_of(many, wire)])
    return frame.with_columns(pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC") for name in _TIMES)


def _decoded(texts: pl.Series) -> pl.Series:
    """Return JSON texts as the narrowest of booleans, integers, numbers, text that holds them all; nulls alone give a null column."""
    known = texts.drop_nulls()
    if known.is_empty():
        return texts.cast(pl.Null)
    if known.is_in(["true", "false"]).all():
        return texts == "true"
    if known.str.contains(r"^-?\d{1,18}$").all():
        return texts.cast(pl.Int64)
    numbers = texts.cast(pl.Float64, strict=False)
    if numbers.null_count() == texts.null_count():
        return numbers
    return texts.str.json_decode(pl.String())


def _moved(table: "DeltaTable", incarnation: str) -> int:
    """Return the number of the newest segment of that incarnation that the table has, 0 for none."""
    return int(table.transaction_version(incarnation) or 0)
