"""What a run depends on beside its data and settings: code, environment, hardware."""

import hashlib
import os
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import polars as pl

from homeostat.train.graph import digest

_GIT_TIMEOUT_S = 20.0
_MOST_DIFF = 5_000_000
_MOST_FILES = 5000
_NOT_CODE = {"site-packages", "node_modules", "__pycache__"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """`commit` None: not in a git repository. `diff`: what differs from the commit, files that git does not know included.

    `digest` is that of the Python files that training can reach: the project's own and the trainer's.
    """

    commit: str | None
    diff: str
    digest: str

    def fact(self) -> dict[str, Any]:
        diff = hashlib.sha256(self.diff.encode()).hexdigest() if self.diff else None
        return {"commit": self.commit, "is_dirty": bool(self.diff), "diff_digest": diff, "digest": self.digest}


def code_of(root: Path, *, function: str | None) -> Code:
    """Return the state of the code at this moment. Without a function of the user's, only the trainer's own files count."""
    own = _digest_of(Path(__file__).parent, _python_files(Path(__file__).parent))
    theirs = _digest_of(root, _python_files(root)) if function else ""
    commit = _git(root, "rev-parse", "HEAD")
    diff = "" if commit is None else _diff(root)
    return Code(commit=commit.strip() if commit else None, diff=diff, digest=digest([own, theirs, function]))


def _python_files(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in _NOT_CODE and not (Path(folder) / name / "pyvenv.cfg").exists()
        )
        found += [Path(folder) / name for name in sorted(files) if name.endswith(".py")]
        if len(found) >= _MOST_FILES:
            break
    return found[:_MOST_FILES]


def _digest_of(root: Path, files: list[Path]) -> str:
    return digest({str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files})


def _diff(root: Path) -> str:
    changed = _git(root, "diff", "HEAD", "--no-ext-diff", "--no-textconv", "--", ".") or ""
    new = (_git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", ".") or "").split("\0")
    parts = [changed]
    for name in new:
        path = root / name
        if name.endswith((".py", ".yaml", ".yml", ".toml", ".sql")) and path.is_file():
            parts.append(f"new file: {name}\n{path.read_text(encoding='utf-8', errors='replace')}\n")
    return "".join(parts)[:_MOST_DIFF]


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git prints, None where it is not installed or does not know this folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(root), "-c", "core.fsmonitor=false", *arguments],  # noqa: S607 - the user's git
            capture_output=True,
            check=False,
            timeout=_GIT_TIMEOUT_S,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


@cache
def packages() -> tuple[str, ...]:
    """Return the installed distributions as `name==version`, sorted."""
    found = {f"{one.metadata['Name']}=={one.version}" for one in metadata.distributions() if one.metadata["Name"]}
    return tuple(sorted(found, key=str.lower))


def environment_fact() -> dict[str, Any]:
    """Return Python, platform and the digest of both with all installed distributions."""
    python, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    return {
        "python": python,
        "platform": system,
        "packages": len(packages()),
        "digest": digest([python, system, packages()]),
    }


def hardware_fact() -> dict[str, Any]:
    """Return processor, number of cores and bytes of memory."""
    import psutil

    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_bytes": int(psutil.virtual_memory().total),
        "platform": platform.platform(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def rows_digest(frame: pl.DataFrame) -> str:
    """Return a digest of the rows, their order, names and types included."""
    schema = digest({name: str(kind) for name, kind in frame.schema.items()} | {"": list(frame.columns)})
    hashes = frame.hash_rows(seed=0).to_numpy().tobytes() if frame.width else b""
    return hashlib.sha256(schema.encode() + hashes).hexdigest()
