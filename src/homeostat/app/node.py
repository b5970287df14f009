"""The name of the process tree that keeps its state in one folder: what it calls itself in stores that it shares with other trees."""

import os
import socket
from pathlib import Path
from uuid import uuid4

from homeostat.app.project import Place

_FILE = "node"


def node_of(place: Place) -> str:
    """Return eight hexadecimal digits, drawn once and kept in the state folder. A copy of the folder, here or on another machine, gets its own."""
    place.state.mkdir(exist_ok=True, mode=0o700)
    path = place.state / _FILE
    where = f"{socket.gethostname()} {place.state.resolve()}"
    return _kept(path, where) or _drawn(path, where)


def _kept(path: Path, where: str) -> str | None:
    try:
        name, _, of = path.read_text(encoding="utf-8").partition(" ")
    except FileNotFoundError:
        return None
    return name if of == where else None


def _drawn(path: Path, where: str) -> str:
    draft = path.with_name(f"{_FILE}.{os.getpid()}")
    draft.write_text(f"{uuid4().hex[:8]} {where}", encoding="utf-8")
    draft.replace(path)
    found = _kept(path, where)  # not what was drawn here: another process may have drawn too
    assert found is not None
    return found
