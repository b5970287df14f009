"""Files by relative path."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from homeostat.core.records.blobs import BlobInfo


class BlobStore(Protocol):
    """Files by relative path under one root; paths that leave it are refused (InvalidInput)."""

    def put_bytes(self, path: str, content: bytes) -> None: ...
    def get_bytes(self, path: str) -> bytes: ...
    def put_tree(self, path: str, folder: Path) -> dict[str, str]:
        """Copy a folder in, atomically, and return {relative file: sha256}."""

    def local(self, path: str) -> Path:
        """Return a local path with the content (a cache where the store is remote). Read-only by agreement."""

    def exists(self, path: str) -> bool: ...
    def delete(self, path: str) -> None: ...
    def entries(self, path: str) -> list[BlobInfo]:
        """Return what is in a folder, by name; empty where there is no such folder."""

    def size(self, path: str) -> int:
        """Return the size of a file in bytes; raise NotFound."""

    def file(self, path: str) -> Path | None:
        """Return where the file itself is on this machine, None where it is elsewhere; raise NotFound. Read-only by agreement."""

    def leftovers(self, *, before: datetime) -> list[BlobInfo]:
        """Return what writers that were killed left behind, none of it visible, untouched since `before`. Nothing of a writer at work."""

    def clear(self, leftovers: Iterable[BlobInfo]) -> None:
        """Remove leftovers."""

    def upload(self, path: str) -> AbstractContextManager["BlobWriter"]:
        """Open a file for writing piece by piece. It is there, whole and durable, when the block ends; after an error nothing is."""

    def chunks(self, path: str, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Return the bytes from `start` up to `stop` in pieces of at most a few megabytes."""


class BlobWriter(Protocol):
    def write(self, piece: bytes, /) -> object: ...
