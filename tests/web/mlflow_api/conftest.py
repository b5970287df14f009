import pytest
from tests.web.mlflow_api.desk import open_client


@pytest.fixture
def client(tmp_path):
    with open_client(tmp_path) as opened:
        yield opened
