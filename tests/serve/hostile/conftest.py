import os
import random

import pytest
from tests.serve.hostile.doors import DOORS, Hall


@pytest.fixture(scope="module")
def hall(tmp_path_factory):
    """Yield a server with every door open."""
    opened = Hall(tmp_path_factory.mktemp("hall"))
    yield opened
    opened.close()


@pytest.fixture(params=DOORS, ids=lambda door: door.name)
def door(request, hall):
    return request.param(hall)


@pytest.fixture
def seed(capsys):
    """Return the seed of the test, which is printed: HOMEOSTAT_TEST_SEED sets it, to see a failure again."""
    found = int(os.environ.get("HOMEOSTAT_TEST_SEED") or random.SystemRandom().randrange(2**32))
    with capsys.disabled():
        print(f"[seed {found}]", end=" ", flush=True)
    return found
