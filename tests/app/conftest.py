from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.storage.sql.store import SqlStore, open_store
from homeostat.testing.serving import FixedClock


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(f"sqlite:///{tmp_path}/a.db")
    yield opened
    opened.close()
