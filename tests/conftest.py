from collections.abc import Iterator

import pytest
from tests.postgres import Postgres, server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Return a running PostgreSQL server, one for the whole session, started by the first test that asks for it."""
    with server() as running:
        yield running
