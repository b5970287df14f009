"""The project that a command is about: the one of the current folder."""

import os
from pathlib import Path

from homeostat.app.project import Place, find, load
from homeostat.app.wiring import House, open_house


def place() -> Place:
    """Return the project of the current folder or one above it; HOMEOSTAT_PROJECT names another file."""
    named = os.environ.get("HOMEOSTAT_PROJECT")
    return load(Path(named) if named else find(Path.cwd()))


def here() -> House:
    """Open the project's stores."""
    return open_house(place(), writer_id=f"cli-{os.getpid()}")
