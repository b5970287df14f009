"""Bringing a whole MLflow store over: from its database, its folder `mlruns`, or its server."""

from homeostat.app.import_mlflow.bring import Importer, Tally
from homeostat.app.import_mlflow.source import MlflowSource, open_source

__all__ = ["Importer", "MlflowSource", "Tally", "open_source"]
