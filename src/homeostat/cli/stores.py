"""The stores that a command works on where it needs no project: those of the project if there is one, else of ./.homeostat."""

import os
from dataclasses import dataclass
from pathlib import Path

from homeostat.app.clock import SystemClock
from homeostat.app.wiring import ARTIFACTS_VARIABLE, DATABASE_VARIABLE, open_tracking, whoami
from homeostat.cli.house import place
from homeostat.core.errors import NotFound
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """`model` is the project's, None where there is no project."""

    store: Store
    blobs: BlobStore
    clock: Clock
    actor: str
    model: str | None


def open_here(*, database: str | None = None, artifacts: str | None = None) -> Stores:
    """Open them as `homeostat up` and `homeostat tracking` do."""
    try:
        found = place()
        state, model = found.state, found.project.model
    except NotFound:
        state, model = Path(".homeostat").resolve(), None
    state.mkdir(exist_ok=True, mode=0o700)
    url = database or os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{state / 'homeostat.db'}"
    files = artifacts or os.environ.get(ARTIFACTS_VARIABLE) or str(state / "blobs")
    store, blobs = open_tracking(url, files)
    return Stores(store=store, blobs=blobs, clock=SystemClock(), actor=whoami(), model=model)
