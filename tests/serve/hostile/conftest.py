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
