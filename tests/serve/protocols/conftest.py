import pytest
from tests.serve.protocols.serving_both import Both


@pytest.fixture
def both(tmp_path):
    server = Both(tmp_path)
    yield server
    server.close()
