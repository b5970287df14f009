"""What a batch has done so far, on disk: finished parts beside a manifest, and the whole put together by one rename.

OUT.parquet.parts/manifest.json        what is being done: a batch that asks for something else does not go on with it
OUT.parquet.parts/000000.parquet       a finished part (written beside, synced, renamed)
OUT.parquet.parts/000000.rejects       its rejects, there before the part is
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import Conflict
from homeostat.serve.batch.scoring import Scored

if TYPE_CHECKING:
    import pyarrow as pa


class Parts:
    """The parts of one output. Use `taken` around everything else: one process at a time works on an output."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.with_name(f"{output.name}.parts")
        self.rejects = output.with_name(f"{output.name}.rejects.jsonl")

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the output; raise Conflict where another process has it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict(
                    f"another process is writing {self.output}", hint="wait for it, or name another output"
                ) from error
            yield
        finally:
            os.close(handle)

    def manifest(self) -> dict[str, Any] | None:
        """Return what was begun here; None where nothing was."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return found

    def begin(self, manifest: Mapping[str, Any]) -> None:
        """Write down what is being done, before any part."""
        self._put("manifest.json", json.dumps(manifest, indent=2).encode())

    def restart(self) -> None:
        """Forget what was done."""
        for path in self.folder.iterdir():
            if path.name != "lock":
                path.unlink()

    def has(self, number: int) -> bool:
        return self._part(number).exists()

    def has_any(self) -> bool:
        return any(self.folder.glob("*.parquet"))

    def add(self, scored: Scored) -> None:
        """Keep a finished part; when this returns, it survives a kill and a loss of power."""
        import pyarrow.parquet as pq

        lines = b"".join(json.dumps(each, default=str).encode() + b"\n" for each in scored.rejects)
        self._put(f"{scored.number:06d}.rejects", lines)
        part = self._part(scored.number)
        beside = part.with_suffix(".tmp")
        pq.write_table(scored.table, beside, compression="zstd")
        _synced(beside)
        beside.rename(part)

    def assemble(self, count: int, *, metadata: Mapping[str, str]) -> tuple[int, int]:
        """Put the parts together as the output, in one rename, and let them go; return the numbers of rows and of rejects."""
        import pyarrow.parquet as pq

        rows = rejected = 0
        beside = self.folder / "whole.tmp"
        schema = self._schema(count, metadata)
        with pq.ParquetWriter(beside, schema, compression="zstd") as writer:
            for number in range(count):
                table = pq.read_table(self._part(number))
                writer.write_table(table.cast(schema))
                rows += table.num_rows
        told = self.folder / "rejects.tmp"
        with told.open("wb") as file:
            for number in range(count):
                lines = (self.folder / f"{number:06d}.rejects").read_bytes()
                file.write(lines)
                rejected += lines.count(b"\n")
        for path in (beside, told):
            _synced(path)
        self.rejects.unlink(missing_ok=True)
        if rejected:
            told.replace(self.rejects)
        beside.replace(self.output)
        shutil.rmtree(self.folder)
        return rows, rejected

    def _schema(self, count: int, metadata: Mapping[str, str]) -> "pa.Schema":
        """Return the one schema of all parts: a column that is empty in one of them takes its type from the others."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schemas = [pq.read_schema(self._part(number)).remove_metadata() for number in range(count)]
        try:
            return pa.unify_schemas(schemas, promote_options="permissive").with_metadata(dict(metadata))
        except pa.ArrowException as error:
            raise Conflict(
                f"the input files do not agree: {str(error).splitlines()[0]}", hint="predict them apart"
            ) from error

    def _part(self, number: int) -> Path:
        return self.folder / f"{number:06d}.parquet"

    def _put(self, name: str, content: bytes) -> None:
        beside = self.folder / f"{name}.tmp"
        beside.write_bytes(content)
        _synced(beside)
        beside.rename(self.folder / name)


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
