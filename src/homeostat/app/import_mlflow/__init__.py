"""Bringing a whole MLflow store over: from its database, its folder `mlruns`, or its server."""

from homeostat.app.import_mlflow.bring import Importer
from homeostat.app.import_mlflow.opening import open_source
from homeostat.app.import_mlflow.source import MlflowSource
from homeostat.app.import_mlflow.tally import Tally

__all__ = ["Importer", "MlflowSource", "Tally", "open_source"]
