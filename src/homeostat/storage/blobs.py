"""Blobs as files under one folder: written to a temporary name, flushed to disk, then renamed into place."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.records.blobs import BlobInfo

_STAGING = ".staging"
_MOST_PATH, _MOST_NAME = 1000, 255  # what S3 takes, below a prefix, and what file systems take; in bytes
_CHUNK_BYTES = 1 << 20
_PIECE_BYTES = 4 << 20


def checked(path: str) -> str:
    """Return the path where it is one inside a store; raise InvalidInput otherwise."""
    parts = path.split("/")
    if not path or "\0" in path or "\\" in path or any(part in ("", ".", "..") for part in parts):
        raise InvalidInput(
            f"{path!r} is not a path inside the store",
            hint="use a relative path with forward slashes, without '.', '..' or empty parts",
        )
    if len(path.encode()) > _MOST_PATH or any(len(part.encode()) > _MOST_NAME for part in parts):
        raise InvalidInput(
            f"'{path[:100]}...' is too long: {_MOST_PATH} bytes at most, {_MOST_NAME} in each part",
            hint="use shorter names",
        )
    if parts[0] == _STAGING:
        raise InvalidInput(f"'{_STAGING}' is kept for files under way", hint="use another first folder")
    return path


def inside(root: Path, path: str) -> Path:
    """Return `root / path`; raise InvalidInput where that would leave the root, symbolic links included."""
    found = root / checked(path)
    if not found.resolve().is_relative_to(root.resolve()):
        raise InvalidInput(
            f"'{path}' leads out of the store through a symbolic link", hint="remove the link from the store's folder"
        )
    return found


def flush(path: Path) -> None:
    """Force a file or folder entry to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class LocalBlobs:
    """A `core.ports.blobs.BlobStore` in a local folder. Safe for many threads and processes; the last writer of a path wins."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def put_bytes(self, path: str, content: bytes) -> None:
        with self.upload(path) as file:
            file.write(content)

    @contextmanager
    def upload(self, path: str) -> Iterator[BinaryIO]:
        """Yield an unbuffered file: what is written is there, whole and on disk, when the block ends, and nothing after an error."""
        target = inside(self.root, path)
        staged = self._staged()
        try:
            with staged.open("wb", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # says that somebody is at work on it, until the process ends
                yield file
                os.fsync(file.fileno())
            _make_folder(target.parent, self.root, path)
            inside(self.root, path)  # a link may have been put there meanwhile
            staged.replace(target)
        except IsADirectoryError as error:
            raise InvalidInput(f"'{path}' is a folder in the store", hint="choose another path") from error
        finally:
            staged.unlink(missing_ok=True)
        flush(target.parent)

    def get_bytes(self, path: str) -> bytes:
        return self._existing(path, want_file=True).read_bytes()

    def put_tree(self, path: str, folder: Path) -> dict[str, str]:
        """Copy a folder in and return {relative file: sha256}; a tree that is already there is replaced as a whole."""
        target = inside(self.root, path)
        if not folder.is_dir():
            raise NotFound(f"no folder '{folder}'", hint="give the folder whose files are to be stored")
        staged = self._staged()
        staged.mkdir()
        with _at_work(staged):
            try:
                digests = _copy_tree(folder, staged)
            except BaseException:
                shutil.rmtree(staged, ignore_errors=True)
                raise
            _make_folder(target.parent, self.root, path)
            if target.exists():
                old = self._staged()
                target.rename(old)
                staged.rename(target)
                _remove(old)
            else:
                staged.rename(target)
        flush(target.parent)
        return digests

    def local(self, path: str) -> Path:
        return self._existing(path, want_file=False)

    def exists(self, path: str) -> bool:
        return inside(self.root, path).exists()

    def delete(self, path: str) -> None:
        """Remove a file or a tree; nothing happens where there is none."""
        target = inside(self.root, path)
        if target.exists():
            aside = self._staged()
            target.rename(aside)
            flush(target.parent)
            _remove(aside)

    def entries(self, path: str) -> list[BlobInfo]:
        folder = inside(self.root, path)
        if not folder.is_dir():
            return []
        found = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    found.append(BlobInfo(name=entry.name, is_folder=True))
                elif entry.is_file(follow_symlinks=False):
                    told = entry.stat(follow_symlinks=False)
                    changed = datetime.fromtimestamp(told.st_mtime, UTC)
                    found.append(BlobInfo(name=entry.name, is_folder=False, size_bytes=told.st_size, changed=changed))
        return sorted(found, key=lambda each: each.name)

    def size(self, path: str) -> int:
        return self._existing(path, want_file=True).stat().st_size

    def file(self, path: str) -> Path:
        return self._existing(path, want_file=True)

    def chunks(self, path: str, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop`, four megabytes at a time."""
        found = self._existing(path, want_file=True)
        return _pieces(found, start, stop)

    def leftovers(self, *, before: datetime) -> list[BlobInfo]:
        folder = self.root / _STAGING
        found = [_left(each) for each in sorted(folder.iterdir())] if folder.is_dir() else []
        return [each for each in found if each is not None and each.changed is not None and each.changed < before]

    def clear(self, leftovers: Iterable[BlobInfo]) -> None:
        for each in leftovers:
            staged = self.root / _STAGING / each.name
            if each.is_folder:
                shutil.rmtree(staged, ignore_errors=True)
            else:
                staged.unlink(missing_ok=True)

    def _existing(self, path: str, *, want_file: bool) -> Path:
        found = inside(self.root, path)
        if not (found.is_file() if want_file else found.exists()):
            raise NotFound(f"no blob '{path}'", hint="list its folder to see what is there")
        return found

    def _staged(self) -> Path:
        staging = self.root / _STAGING
        staging.mkdir(parents=True, exist_ok=True, mode=0o700)
        return staging / uuid4().hex


def _make_folder(folder: Path, root: Path, path: str) -> None:
    """Make a folder and those above it, each entry on disk; raise InvalidInput where a file is in the way."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        try:
            each.mkdir(exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise InvalidInput(
                f"'{path}' lies below '{each.relative_to(root)}', which is a file", hint="choose another path"
            ) from error
        flush(each.parent)


def _pieces(path: Path, start: int, stop: int | None) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        left = (path.stat().st_size if stop is None else stop) - file.seek(start)
        while left > 0 and (piece := file.read(min(_PIECE_BYTES, left))):
            left -= len(piece)
            yield piece


@contextmanager
def _at_work(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process however that ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _left(staged: Path) -> BlobInfo | None:
    """Return what a writer left, None while one is at work on it. A rename counts as a change: what is deleted is first moved there."""
    try:
        descriptor = os.open(staged, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_folder = staged.is_dir()
        told = [each.lstat() for each in (staged, *(staged.rglob("*") if is_folder else ()))]
    except (BlockingIOError, FileNotFoundError):
        return None
    finally:
        os.close(descriptor)
    size = sum(each.st_size for each in told[is_folder:])
    changed = datetime.fromtimestamp(max(each.st_ctime for each in told), UTC)
    return BlobInfo(name=staged.name, is_folder=is_folder, size_bytes=size, changed=changed)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _copy_tree(source: Path, target: Path) -> dict[str, str]:
    digests = {}
    for found in sorted(source.rglob("*")):
        name = found.relative_to(source).as_posix()
        if found.is_symlink():
            raise InvalidInput(f"'{name}' is a symbolic link", hint="store the file itself: links are not followed")
        if found.is_dir():
            (target / name).mkdir(parents=True, exist_ok=True)
        elif found.is_file():
            digests[name] = _copy_file(found, target / name)
    for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        flush(folder)
    return digests


def _copy_file(source: Path, target: Path) -> str:
    """Copy, flush and return the SHA-256 of what was written."""
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as write:
        while chunk := read.read(_CHUNK_BYTES):
            digest.update(chunk)
            write.write(chunk)
        write.flush()
        os.fsync(write.fileno())
    return digest.hexdigest()
