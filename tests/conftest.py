import os
import random
import threading
from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.postgres import Postgres, server

# how long an example takes says more of the machine than of the code
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="module", autouse=True)
def no_server_outlives_its_module() -> Iterator[None]:
    """Fail where a test leaves a server's event loop running: native code that runs when the interpreter ends may crash it."""
    yield
    left = [thread.name for thread in threading.enumerate() if thread.name in {"engine", "plane"}]
    assert not left, f"servers still running at the end of the module: {left}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Return a running PostgreSQL server, one for the whole session, started by the first test that asks for it."""
    with server() as running:
        yield running


@pytest.fixture
def seed(capsys: pytest.CaptureFixture[str]) -> int:
    """Return the seed of the test, which is printed: HOMEOSTAT_TEST_SEED sets it, to see a failure again."""
    found = int(os.environ.get("HOMEOSTAT_TEST_SEED") or random.SystemRandom().randrange(2**32))
    with capsys.disabled():
        print(f"[seed {found}]", end=" ", flush=True)
    return found
