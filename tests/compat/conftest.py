"""The real client, imported once and quietly: its own warnings are not ours."""

import importlib
import os
import warnings

import pytest

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("mlflow", reason="no mlflow here")
    for flavor in ("pyfunc", "sklearn", "xgboost"):  # so that no test meets the warnings of the first import
        importlib.import_module(f"mlflow.{flavor}")
