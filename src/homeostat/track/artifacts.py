"""Where artifacts are: the addresses that clients use, and the blobs behind them. Pure.

Clients see `mlflow-artifacts:/<path>`. What they upload is kept below the blob prefix `artifacts/`; `runs/<run_id>/...` is what the loop's
own runs left, which clients may read and not change.
"""

import re
from urllib.parse import unquote

from homeostat.core.errors import InvalidInput, NotAllowed

SCHEME = "mlflow-artifacts:"
MOST_PATH = 2000
_UPLOADED = "artifacts"
_OWN = "runs"
_MOST_DECODINGS = 10
_DRIVE = re.compile(r"^[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ID = re.compile(r"(?:m-)?[0-9a-f]{32}")
_ODD = re.compile(r"[#?;]")


def safe_path(path: str) -> str:
    """Return the path where it stays below its root however often it is decoded; raise InvalidInput otherwise.

    >>> safe_path("1/models/a b.txt")
    '1/models/a b.txt'
    >>> safe_path("1/%252e%252e/x")
    Traceback (most recent call last):
    homeostat.core.errors.InvalidInput: Invalid path: '1/%252e%252e/x' leads out of its folder
    """
    if len(path) > MOST_PATH:
        raise InvalidInput(f"Invalid path: it has {len(path)} characters, at most {MOST_PATH} are taken")
    decoded = path
    for _ in range(_MOST_DECODINGS):
        if problem := _problem(decoded):
            raise InvalidInput(f"Invalid path: {path[:200]!r} {problem}", hint="use a relative path without '..'")
        if (further := unquote(decoded)) == decoded:
            return path
        decoded = further
    raise InvalidInput(f"Invalid path: {path[:200]!r} is encoded over and over", hint="send it encoded once")


def _problem(path: str) -> str | None:
    parts = path.split("/")
    if _CONTROL.search(path):
        return "holds a control character"
    if "\\" in path or "#" in path:
        return "holds a backslash or a '#'"
    if path.startswith("/") or _DRIVE.match(path) or path.lower().startswith("file:"):
        return "is absolute"
    if ".." in parts:
        return "leads out of its folder"
    if path and any(part in ("", ".") for part in parts):
        return "has an empty part or a '.'"
    return None


def blob_of(path: str) -> str:
    """Return the blob that a path below `mlflow-artifacts:/` means."""
    safe = safe_path(path)
    if not safe:
        return _UPLOADED
    return safe if safe.partition("/")[0] == _OWN else f"{_UPLOADED}/{safe}"


def writable_blob_of(path: str) -> str:
    """Return the blob that a client may write; raise NotAllowed for what the loop keeps."""
    blob = blob_of(path)
    if blob == _UPLOADED:
        raise InvalidInput("Invalid path: it is empty", hint="name a file")
    if blob.partition("/")[0] == _OWN:
        raise NotAllowed(
            f"'{path}' belongs to a run of the loop, whose files stay as they are", hint="log to a run of your own"
        )
    return blob


def uri_of(blob: str) -> str:
    """Return the address of a blob; one that is an address already stays as it is.

    >>> uri_of("artifacts/1/abc/artifacts"), uri_of("runs/abc/model")
    ('mlflow-artifacts:/1/abc/artifacts', 'mlflow-artifacts:/runs/abc/model')
    """
    if blob.startswith(SCHEME):
        return blob
    return f"{SCHEME}/{blob.removeprefix(_UPLOADED + '/')}"


def blob_of_uri(uri: str) -> str:
    """Return the blob at an address; raise InvalidInput where it is not one of this server's.

    >>> blob_of_uri("mlflow-artifacts:/1/abc/artifacts/model")
    'artifacts/1/abc/artifacts/model'
    """
    rest = uri.removeprefix(SCHEME)
    decoded = _decoded(uri)
    if rest == uri or not rest.startswith("/") or rest.startswith("//") or _ODD.search(decoded):
        raise InvalidInput(
            f"'{uri[:500]}' is not an artifact address of this server", hint=f"it must look like {SCHEME}/<path>"
        )
    return blob_of(rest[1:].rstrip("/"))


def is_below(uri: str, root: str) -> bool:
    """Return whether an address is a root or something below it. Both are blobs or addresses of this server."""
    return f"{blob_at(uri)}/".startswith(f"{blob_at(root)}/")


def checked_location(uri: str) -> str:
    """Return an experiment's own artifact location where it may be one; raise InvalidInput."""
    blob = blob_of_uri(uri)
    if blob == _UPLOADED or blob.partition("/")[0] == _OWN:
        raise InvalidInput(f"'{uri[:500]}' is kept by the server itself", hint=f"use {SCHEME}/<folder>")
    if any(_ID.fullmatch(part) for part in blob.split("/")):
        raise InvalidInput(f"'{uri[:500]}' lies in the folder of a run or a model", hint=f"use {SCHEME}/<folder>")
    return uri.rstrip("/")


def experiment_location(experiment_id: str) -> str:
    """Return where an experiment without a location of its own keeps its artifacts."""
    return f"{SCHEME}/{experiment_id}"


def run_artifacts(location: str, run_id: str) -> str:
    """Return the artifact address of a client's run in an experiment at `location`."""
    return f"{location.rstrip('/')}/{run_id}/artifacts"


def logged_model_artifacts(location: str, model_id: str) -> str:
    """Return the artifact address of a logged model in an experiment at `location`."""
    return f"{location.rstrip('/')}/models/{model_id}/artifacts"


def blob_at(address: str, path: str = "") -> str:
    """Return the blob at an address (or blob) that the server itself keeps, or of a client's path below it."""
    root = blob_of_uri(address) if address.startswith(SCHEME) else address
    safe = safe_path(path.rstrip("/"))
    return f"{root}/{safe}" if safe else root


def _decoded(text: str) -> str:
    for _ in range(_MOST_DECODINGS):
        text, before = unquote(text), text
        if text == before:
            break
    return text
