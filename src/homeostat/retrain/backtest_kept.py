"""Replays that were finished before: a backtest that was stopped goes on, and one that is asked for again is answered at once."""

import hashlib
import json
import os
from importlib import metadata
from pathlib import Path

import msgspec

import homeostat
from homeostat.core.values import Json
from homeostat.retrain.backtest_result import PolicyResult

MOST = 200
_PEERS = ("numpy", "scipy", "scikit-learn", "polars", "pandas")
_NOT_CODE = ("site-packages", "node_modules", "__pycache__")


class Kept:
    """Results by the key of all that they follow from. A file that cannot be read is as good as none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> PolicyResult | None:
        try:
            found = msgspec.json.decode(self._file(key).read_bytes(), type=PolicyResult)
        except (OSError, msgspec.MsgspecError):
            return None
        self._file(key).touch()
        return found

    def put(self, key: str, result: PolicyResult) -> None:
        """Keep a result; the ones that were used longest ago give way."""
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = self._folder / f"{key}.{os.getpid()}.new"
        fresh.write_bytes(msgspec.json.encode(result))
        fresh.replace(self._file(key))
        files = sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime)
        for file in files[:-MOST]:
            file.unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def key_of(spec: Json, *, frame: Path, code: str) -> str:
    """Return the key of a replay: what the child is told, the rows themselves, and the code."""
    told = {name: value for name, value in spec.items() if name not in ("frame", "root", "progress", "stop")}
    digest = hashlib.sha256(json.dumps([told, code], sort_keys=True).encode())
    with frame.open("rb") as rows:
        while part := rows.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()[:32]


def code_of(root: Path) -> str:
    """Return a digest of the code that a replay runs: the project's, our own, and the versions of what both stand on."""
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root).parts
        if not any(part.startswith(".") or part in _NOT_CODE for part in parts):
            digest.update(f"{'/'.join(parts)}\0".encode() + file.read_bytes())
    package = Path(homeostat.__file__).parent
    for file in sorted(package.rglob("*.py")):
        told = file.stat()
        digest.update(f"{file.relative_to(package)} {told.st_size} {told.st_mtime_ns}\n".encode())
    digest.update(" ".join(metadata.version(name) for name in _PEERS).encode())
    return digest.hexdigest()
