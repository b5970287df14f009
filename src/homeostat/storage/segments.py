"""Write-ahead segments: append-only files of framed blocks, readable by any process at any moment.

`append` returns when its block is on the disk. `submit` promises what it is told to: `synced` the same; `strict` that the block is the
kernel's, so that a killed process loses nothing, and on the disk a moment later (`sync`); `fast` that it will be written at the next `sync`.

A block is `<length, crc32>` (two little-endian 32-bit numbers) and its payload. A crash can only tear the tail: reading stops at the
first block that is not whole. A segment's owner holds `flock` on it, which dies with the process: a segment whose lock can be taken is
closed for good. Names are `<writer>.<incarnation>.<number>.seg`; an incarnation (one opening by one process) never repeats, so that
(incarnation, number) identifies a segment for ever.
"""

import errno
import fcntl
import logging
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from homeostat.core.errors import Unreachable

log = logging.getLogger(__name__)
_HEADER = struct.Struct("<II")
_MOST_BUFFERED = 32 << 20  # of `fast`; beyond that, blocks are written at once
SUFFIX = ".seg"

Durability = Literal["synced", "strict", "fast"]
Done = Callable[[Unreachable | None], None]


@dataclass(frozen=True, slots=True, order=True)
class SegmentName:
    incarnation: str
    number: int

    @classmethod
    def of(cls, path: Path) -> "SegmentName":
        incarnation, number = path.name.removesuffix(SUFFIX).rsplit(".", 1)
        return cls(incarnation, int(number))


class SegmentWriter:
    """The writing end of one folder of segments. Thread-safe: appends that meet share one sync (group commit)."""

    def __init__(self, folder: Path, *, incarnation: str, max_bytes: int, max_age_s: float) -> None:
        self._folder = folder
        self._incarnation = incarnation
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._turn = threading.Condition()
        self._waiting: list[bytes] = []
        self._given = 0  # ticket of the newest block handed in
        self._settled = 0  # ticket up to which blocks were written or refused
        self._refused: dict[int, OSError] = {}
        self._is_writing = False
        self._fd: int | None = None
        self._number = 0
        self._size = 0
        self._opened = 0.0
        self._is_dirty = False
        self._named = 0  # segments up to this one have their names on the disk
        self._left: list[int] = []  # full segments that are not synced yet
        self._buffer: list[bytes] = []
        self._buffered = 0

    def submit(self, payload: bytes, done: Done, *, durability: Durability) -> None:
        """Write one block and call `done`, with the reason where it could not be written: at once, or for `synced` in this call too.

        Costs one `write` of the kernel for `strict`, and a disk's sync for `synced`, which callers with better things to do make in a thread.
        """
        if durability == "synced":
            try:
                self.append(payload)
            except Unreachable as error:
                done(error)
            else:
                done(None)
            return
        block = _framed(payload)
        with self._turn:
            while self._is_writing:
                self._turn.wait()
            if durability == "fast" and self._buffered < _MOST_BUFFERED:
                self._buffer.append(block)
                self._buffered += len(block)
                failed = None
            else:
                failed = self._write_unsynced(block)
        done(failed)

    def sync(self) -> None:
        """Put on the disk what was submitted; what cannot be is logged, as nobody waits for it any more."""
        with self._turn:
            while self._is_writing:
                self._turn.wait()
            blocks, self._buffer, self._buffered = b"".join(self._buffer), [], 0
            if blocks and (failed := self._write_unsynced(blocks)) is not None:
                log.error(
                    "record.rows_lost", extra={"folder": str(self._folder), "bytes": len(blocks), "why": failed.message}
                )
            fds, self._left = self._left, []
            if self._is_dirty and self._fd is not None:
                fds.append(os.dup(self._fd))
                self._is_dirty = False
            number = self._number
        # outside the lock: writers do not wait for the disk
        try:
            if fds and self._named < number:
                sync_folder(self._folder)
                self._named = number
        except OSError as error:
            self._not_synced(error)
        for fd in fds:
            try:
                os.fdatasync(fd)
            except OSError as error:
                self._not_synced(error)
            finally:
                os.close(fd)

    def _write_unsynced(self, blocks: bytes) -> Unreachable | None:
        """Write blocks, the lock being held; return why they could not be."""
        try:
            self._write(blocks, is_synced=False)
        except OSError as error:
            return self._unreachable(error)
        self._is_dirty = True
        return None

    def append(self, payload: bytes) -> None:
        """Write one block and return when it is on the disk; raise Unreachable where it could not be."""
        block = _framed(payload)
        with self._turn:
            self._waiting.append(block)
            self._given += 1
            ticket = self._given
            while self._is_writing and self._settled < ticket:
                self._turn.wait()
            if self._settled >= ticket:
                self._raise_if_refused(ticket)
                return
            batch, self._waiting = self._waiting, []
            first, last = self._settled + 1, self._given
            self._is_writing = True
        # kept where something else than an OSError breaks it off: no memory, a signal
        error: OSError | None = OSError(errno.EIO, "the write was broken off")
        try:
            self._write(b"".join(batch))
            error = None
        except OSError as caught:
            error = caught
        finally:
            with self._turn:
                if error is not None:
                    self._refused.update(dict.fromkeys(range(first, last + 1), error))
                self._settled = last
                self._is_writing = False
                self._turn.notify_all()
        with self._turn:
            self._raise_if_refused(ticket)

    def retire(self) -> None:
        """Close the segment under way where it is old enough, so that what nobody writes to any more can be moved, and erased."""
        if self._fd is not None and time.monotonic() - self._opened >= self._max_age_s:
            self.seal()

    def seal(self) -> None:
        """Close the segment under way, so that it can be compacted; the next append opens another."""
        self.sync()
        with self._turn:
            while self._is_writing:
                self._turn.wait()
            self._close()
        self.sync()  # what came between the two

    def _raise_if_refused(self, ticket: int) -> None:
        error = self._refused.pop(ticket, None)
        if error is not None:
            raise self._unreachable(error) from error

    def _unreachable(self, error: OSError) -> Unreachable:
        return Unreachable(
            f"could not write to the record in {self._folder}: {error.strerror or error}",
            hint="free space or repair the disk; what was not acknowledged is not kept",
        )

    def _write(self, blocks: bytes, *, is_synced: bool = True) -> None:
        """Append, and sync unless told not to. After a failure the segment is cut back and left: a disk that failed once is not trusted with its tail."""
        if self._fd is not None and (
            self._size >= self._max_bytes or time.monotonic() - self._opened >= self._max_age_s
        ):
            self._close()
        if self._fd is None:
            self._open()
        assert self._fd is not None
        try:
            view = memoryview(blocks)
            while view:
                view = view[os.write(self._fd, view) :]
            if is_synced:
                if self._named < self._number:
                    sync_folder(self._folder)
                    self._named = self._number
                os.fdatasync(self._fd)
        except BaseException:
            try:
                os.ftruncate(self._fd, self._size)
            except OSError as error:
                log.warning("record.tail_not_cut", extra={"folder": str(self._folder), "error": str(error)})
            self._close()
            raise
        self._size += len(blocks)

    def _open(self) -> None:
        """Open the next segment. It is locked before it gets its name, so that no one takes it for an abandoned one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._number += 1
        final = self._folder / f"{self._incarnation}.{self._number:08d}{SUFFIX}"
        draft = final.with_suffix(".new")
        fd = os.open(draft, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            draft.rename(final)
        except OSError:
            os.close(fd)
            raise
        self._fd, self._size, self._opened = fd, 0, time.monotonic()

    def _close(self) -> None:
        """Leave the segment under way; what is not on the disk yet is for `sync`, as nobody who answers can wait for that."""
        if self._fd is None:
            return
        if self._is_dirty:
            self._left.append(self._fd)
        else:
            os.close(self._fd)
        self._fd, self._is_dirty = None, False

    def _not_synced(self, error: OSError) -> None:
        log.error("record.not_synced", extra={"folder": str(self._folder), "why": str(error)})


def _framed(payload: bytes) -> bytes:
    return _HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def segments(folder: Path) -> list[Path]:
    """Return the segments of a folder, those of one incarnation in the order of writing."""
    if not folder.is_dir():
        return []
    return sorted(folder.glob(f"*{SUFFIX}"), key=SegmentName.of)


@dataclass(frozen=True, slots=True)
class Content:
    """The payloads of the whole blocks, and the number of bytes behind them that are no whole block."""

    blocks: list[bytes]
    torn_bytes: int


def read_segment(path: Path) -> Content:
    raw = memoryview(path.read_bytes())
    blocks: list[bytes] = []
    at = 0
    while at + _HEADER.size <= len(raw):
        length, crc = _HEADER.unpack_from(raw, at)
        payload = raw[at + _HEADER.size : at + _HEADER.size + length]
        if not length or len(payload) < length or zlib.crc32(payload) != crc:
            break
        blocks.append(bytes(payload))
        at += _HEADER.size + length
    return Content(blocks, len(raw) - at)


@contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Hold the lock of a file for the block; yield False where a living process has it or the file is gone."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(fd)
