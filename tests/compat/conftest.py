"""The real client, imported once and quietly: its own warnings are not ours."""

import functools
import importlib
import itertools
import os
import warnings
from pathlib import Path
from typing import Any

import pytest

from homeostat.storage.sql.store import open_store

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
os.environ["MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT"] = (
    "1"  # then it takes each flavor's own requirements: ten times as fast
)
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("mlflow", reason="no mlflow here")
    for flavor in ("pyfunc", "sklearn", "xgboost"):  # so that no test meets the warnings of the first import
        importlib.import_module(f"mlflow.{flavor}")


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """Yield an empty store of ours."""
    opened = open_store(f"sqlite:///{tmp_path / 'db'}")
    yield opened
    opened.close()


@pytest.fixture(params=["file", "postgres"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return what opens our server on an empty database, of every kind in turn."""
    from tests.compat.machine import our_world

    made = itertools.count()
    if request.param == "file":
        return lambda: our_world(f"sqlite:///{tmp_path}/{next(made)}/db")
    postgres = request.getfixturevalue("postgres")
    return lambda: our_world(postgres.fresh())


@pytest.fixture
def stock(tmp_path: Path) -> Any:
    """Return what opens MLflow's own store, empty."""
    from mlflow import MlflowClient
    from tests.compat.machine import stock_world

    client = MlflowClient(f"sqlite:///{tmp_path}/template.db")
    client.search_experiments()
    client.search_registered_models()
    return functools.partial(stock_world, tmp_path / "template.db")
