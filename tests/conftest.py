from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.postgres import Postgres, server

# how long an example takes says more of the machine than of the code
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Return a running PostgreSQL server, one for the whole session, started by the first test that asks for it."""
    with server() as running:
        yield running
