"""What a data source is: how it knows an address as its own, and what it reads from there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl

from homeostat.core.errors import InvalidInput, near

OBJECT_STORES = ("s3", "s3a", "gs", "gcs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """An address as the user wrote it, with what is needed to follow it. Relative paths start at `root`."""

    uri: str
    root: Path
    query: str | None = None

    @property
    def scheme(self) -> str:
        """The part before `://`, lower case; empty for a path."""
        return urlsplit(self.uri).scheme.lower() if "://" in self.uri else ""

    @property
    def is_file(self) -> bool:
        """Whether the address is a path, here or in an object store, and not a database."""
        return self.scheme in ("", "file", *OBJECT_STORES)

    @property
    def is_remote(self) -> bool:
        return self.scheme in OBJECT_STORES

    @property
    def path(self) -> Path:
        """The local path; only for local addresses."""
        text = self.uri.removeprefix("file://") if self.scheme == "file" else self.uri
        return self.root / Path(text).expanduser()

    def at(self, uri: str) -> "Ask":
        """The same question at another address."""
        return Ask(uri=uri, root=self.root, query=self.query)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`claims` says whether an address belongs to this source (exactly one source must claim it); `looks_like` is for error messages."""

    name: str
    looks_like: str
    claims: Callable[[Ask], bool]
    read: Callable[[Ask], pl.DataFrame]


def content(ask: Ask) -> bytes:
    """Return the bytes of a file, here or in an object store; raise InvalidInput where there is none or it is empty."""
    found = _remote_content(ask) if ask.is_remote else _local_content(ask)
    if not found:
        raise InvalidInput(
            f"'{ask.uri}' is empty", hint="the file has no bytes: write the data again, with a header line"
        )
    return found


def refuse_absent(ask: Ask) -> None:
    """Raise InvalidInput with near names where a local path leads nowhere."""
    path = ask.path
    if path.exists():
        return
    folder = path.parent
    if not folder.is_dir():
        raise InvalidInput(f"no file '{ask.uri}': there is no folder '{folder}'", hint=f"paths start at {ask.root}")
    names = [found.name for found in folder.iterdir() if not found.name.startswith(".")]
    raise InvalidInput(
        f"no file '{ask.uri}'", hint=near(path.name, names) or f"'{folder}' is empty; paths start at {ask.root}"
    )


def _local_content(ask: Ask) -> bytes:
    refuse_absent(ask)
    if ask.path.is_dir():
        raise InvalidInput(
            f"'{ask.uri}' is a folder", hint="give a file, a glob such as 'folder/*.parquet', or a Delta table's folder"
        )
    try:
        return ask.path.read_bytes()
    except PermissionError as error:
        raise InvalidInput(f"'{ask.uri}' may not be read by this user", hint="change its permissions") from error


def _remote_content(ask: Ask) -> bytes:
    from pyarrow import fs

    try:
        store, path = fs.FileSystem.from_uri(ask.uri.replace("s3a://", "s3://", 1))
        with store.open_input_stream(path) as stream:
            return bytes(stream.read())
    except OSError as error:
        raise unreachable(ask, error) from error


def unreachable(ask: Ask, error: Exception) -> InvalidInput:
    """Return the error for an object store that did not answer with data."""
    reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
    return InvalidInput(
        f"'{ask.uri}' cannot be read: {reason}",
        hint="check the address and the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL",
    )
