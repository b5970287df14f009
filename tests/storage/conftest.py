from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.storage.sql.store import SqlStore, open_memory_store, open_store

STORES = ("memory", "file", "postgres")


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    """Return an empty store, of every kind in turn: what holds for one must hold for all."""
    if request.param == "memory":
        opened = open_memory_store()
    elif request.param == "file":
        opened = open_store(f"sqlite:///{tmp_path}/db/homeostat.db")
    else:
        opened = open_store(request.getfixturevalue("postgres").fresh())
    yield opened
    opened.close()


@pytest.fixture(params=["file", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database that several processes can share."""
    if request.param == "file":
        return f"sqlite:///{tmp_path}/homeostat.db"
    url: str = request.getfixturevalue("postgres").fresh()
    return url
