"""Blobs in an object store: S3 and what speaks its protocol, Google Cloud Storage, Azure. Objects appear whole or not at all."""

import hashlib
import json
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from homeostat.core.errors import HomeostatError, InvalidInput, MissingExtra, NotAllowed, NotFound, Unreachable
from homeostat.core.records.blobs import BlobInfo
from homeostat.storage.blob_cache import BlobCache
from homeostat.storage.blobs import checked

SCHEMES = ("s3", "gs", "az", "abfss")
_PART_BYTES = 8 << 20
_PIECE_BYTES = 4 << 20
_AT_ONCE = 3
_MOST_KNOWN = 10_000
_END = None


class ObjectBlobs:
    """A `core.ports.blobs.BlobStore` in a bucket, below a prefix. Safe for many threads and processes; the last writer of a path wins.

    A tree is written object by object: who reads it while it is written may see a part of it. Whoever stores a tree names it, in the
    metadata, only when `put_tree` has returned. `cache` is where `local` copies to.
    """

    def __init__(self, url: str, *, cache: BlobCache, options: Mapping[str, Any] | None = None) -> None:
        try:
            from obstore.store import from_url
        except ModuleNotFoundError as error:
            raise MissingExtra(f"'{url}' needs obstore, which is not installed", extra="s3") from error
        with _told(url):
            self._store: Any = from_url(url, **dict(options or {}))
        self.url = url
        self._cache = cache
        self._folders: set[str] = set()  # known to be no objects

    def put_bytes(self, path: str, content: bytes) -> None:
        import obstore

        self._check_place(path)
        with _told(path):
            obstore.put(self._store, path, content, chunk_size=_PART_BYTES, max_concurrency=_AT_ONCE)

    def get_bytes(self, path: str) -> bytes:
        import obstore

        with _told(checked(path)):
            return bytes(obstore.get(self._store, path).bytes())

    @contextmanager
    def upload(self, path: str) -> Iterator["_Pipe"]:
        """Yield a writer whose pieces are sent while more are written; at most a few parts are held in memory."""
        self._check_place(path)
        pipe = _Pipe(self._store, path)
        try:
            yield pipe
        except BaseException:
            pipe.give_up()
            raise
        pipe.finish()

    def put_tree(self, path: str, folder: Path) -> dict[str, str]:
        """Copy a folder in and return {relative file: sha256}. What was there before and is not in the folder is deleted."""
        import obstore

        if not folder.is_dir():
            raise NotFound(f"no folder '{folder}'", hint="give the folder whose files are to be stored")
        files = _files(folder)
        self._check_place(path, is_folder=True)
        before = set(self._below(path))
        digests: dict[str, str] = {}
        try:
            for name, file in files.items():
                digests[name] = _digest(file)
                with _told(path):
                    obstore.put(self._store, f"{path}/{name}", file, chunk_size=_PART_BYTES, max_concurrency=_AT_ONCE)
        except BaseException:
            self._remove([f"{path}/{name}" for name in digests if f"{path}/{name}" not in before])
            raise
        self._remove(sorted(before - {f"{path}/{name}" for name in files}))
        return digests

    def local(self, path: str) -> Path:
        """Return a copy in the cache, made anew where the objects have changed."""
        checked(path)
        alone = self._meta(path)
        found = {path: alone} if alone else self._below(path)
        if not found:
            raise NotFound(f"no blob '{path}'", hint="list its folder to see what is there")
        tags = {name: (meta.get("e_tag"), meta["size"]) for name, meta in sorted(found.items())}
        key = hashlib.sha256(json.dumps([self.url, path, tags]).encode()).hexdigest()[:32]
        folder = self._cache.get(key) or self._cache.add(key, lambda folder: self._fetch(path, found, folder))
        return folder / PurePosixPath(path).name

    def exists(self, path: str) -> bool:
        return self._meta(checked(path)) is not None or bool(self._below(path, first_only=True))

    def delete(self, path: str) -> None:
        """Remove a file or a tree; nothing happens where there is none."""
        checked(path)
        self._remove([*([path] if self._meta(path) else []), *self._below(path)])

    def entries(self, path: str) -> list[BlobInfo]:
        import obstore

        with _told(checked(path)):
            found = obstore.list_with_delimiter(self._store, prefix=f"{path}/")
        folders = [BlobInfo(name=PurePosixPath(str(each)).name, is_folder=True) for each in found["common_prefixes"]]
        files = [
            BlobInfo(
                name=PurePosixPath(meta["path"]).name,
                is_folder=False,
                size_bytes=meta["size"],
                changed=meta["last_modified"],
            )
            for meta in found["objects"]
        ]
        return sorted([*folders, *files], key=lambda each: each.name)

    def size(self, path: str) -> int:
        return int(self._known(path)["size"])

    def file(self, path: str) -> Path | None:
        self._known(path)
        return None

    def chunks(self, path: str, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop`, about four megabytes at a time."""
        import obstore

        size = int(self._known(path)["size"])
        end = size if stop is None else min(stop, size)
        if start >= end:
            return
        with _told(path):
            for piece in obstore.get(self._store, path, options={"range": (start, end)}).stream(_PIECE_BYTES):
                yield bytes(piece)

    def leftovers(self, *, before: datetime) -> list[BlobInfo]:
        """Nothing: what a killed upload left in the bucket is the bucket's to expire (AbortIncompleteMultipartUpload), and not told to us."""
        del before
        return []

    def clear(self, leftovers: Iterable[BlobInfo]) -> None:
        """Nothing is ever left that this store could see."""

    def _known(self, path: str) -> Mapping[str, Any]:
        found = self._meta(checked(path))
        if found is None:
            raise NotFound(f"no blob '{path}'", hint="list its folder to see what is there")
        return found

    def _meta(self, path: str) -> Mapping[str, Any] | None:
        import obstore

        try:
            with _told(path):
                found: Mapping[str, Any] = obstore.head(self._store, path)
                return found
        except NotFound:
            return None

    def _below(self, path: str, *, first_only: bool = False) -> dict[str, Mapping[str, Any]]:
        import obstore

        out: dict[str, Mapping[str, Any]] = {}
        with _told(path):
            for page in obstore.list(self._store, prefix=f"{path}/", chunk_size=1 if first_only else 1000):
                out |= {meta["path"]: meta for meta in page}
                if first_only and out:
                    break
        return out

    def _remove(self, paths: list[str]) -> None:
        import obstore

        for start in range(0, len(paths), 1000):
            with _told("objects"):
                obstore.delete(self._store, paths[start : start + 1000])

    def _check_place(self, path: str, *, is_folder: bool = False) -> None:
        """Refuse a path below an object, and a file in a folder's place: a file system could not hold both, and clients download to one."""
        parts = checked(path).split("/")
        if len(self._folders) > _MOST_KNOWN:
            self._folders.clear()
        for at in range(1, len(parts)):
            folder = "/".join(parts[:at])
            if folder in self._folders:
                continue
            if self._meta(folder) is not None:
                raise InvalidInput(f"'{path}' lies below '{folder}', which is a file", hint="choose another path")
            self._folders.add(folder)
        if is_folder and self._meta(path) is not None:
            raise InvalidInput(f"'{path}' is a file in the store", hint="choose another path")
        if not is_folder and (path in self._folders or self._below(path, first_only=True)):
            if self._below(path, first_only=True):
                raise InvalidInput(f"'{path}' is a folder in the store", hint="choose another path")
            self._folders.discard(path)

    def _fetch(self, path: str, found: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
        root = folder / PurePosixPath(path).name
        for name in found:
            file = root / name.removeprefix(path).lstrip("/") if name != path else root
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with file.open("wb") as out:
                for piece in self.chunks(name):
                    out.write(piece)


class _Pipe:
    """What is written here is read by a thread that uploads it."""

    def __init__(self, store: Any, path: str) -> None:
        self._pieces: queue.Queue[bytes | Exception | None] = queue.Queue(maxsize=2)
        self._store, self._path = store, path
        self._error: BaseException | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upload", daemon=True)
        self._thread.start()

    def write(self, piece: bytes, /) -> int:
        if piece:
            self._put(bytes(piece))
        return len(piece)

    def finish(self) -> None:
        """Wait until the object is there; raise what went wrong."""
        self._put(_END)
        self._thread.join()
        self._check()

    def give_up(self) -> None:
        """Leave nothing visible."""
        try:
            self._put(BrokenPipeError("the upload was given up"))
        except HomeostatError:
            return
        finally:
            self._thread.join()

    def _put(self, piece: bytes | Exception | None) -> None:
        while True:
            self._check()
            try:
                self._pieces.put(piece, timeout=0.5)
            except queue.Full:
                continue
            return

    def _check(self) -> None:
        if self._error is not None and not isinstance(self._error, BrokenPipeError):
            raise self._error

    def _run(self) -> None:
        import obstore

        try:
            with _told(self._path):
                obstore.put(
                    self._store,
                    self._path,
                    self._read(),
                    use_multipart=True,
                    chunk_size=_PART_BYTES,
                    max_concurrency=_AT_ONCE,
                )
        except BaseException as error:  # noqa: BLE001 - the border of the thread: the writer raises it
            self._error = error

    def _read(self) -> Iterator[bytes]:
        while (piece := self._pieces.get()) is not _END:
            if isinstance(piece, Exception):
                raise piece
            yield piece


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Turn the store's errors into ours."""
    from obstore.exceptions import BaseError, InvalidPathError, PermissionDeniedError, UnauthenticatedError
    from obstore.exceptions import NotFoundError as Absent

    try:
        yield
    except (Absent, FileNotFoundError) as error:
        raise NotFound(f"no blob '{path}'") from error
    except InvalidPathError as error:
        raise InvalidInput(f"'{path}' is not a path that the store takes", hint=str(error).splitlines()[0]) from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise NotAllowed(
            f"the object store refuses '{path}'",
            hint="check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the bucket's policy",
        ) from error
    except BaseError as error:
        raise Unreachable(f"the object store failed at '{path}'", hint=str(error).splitlines()[0][:300]) from error


def _files(folder: Path) -> dict[str, Path]:
    out = {}
    for found in sorted(folder.rglob("*")):
        name = found.relative_to(folder).as_posix()
        if found.is_symlink():
            raise InvalidInput(f"'{name}' is a symbolic link", hint="store the file itself: links are not followed")
        if found.is_file():
            out[name] = found
    return out


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
