"""The door for MLflow: `mlflow.pyfunc.load_model` calls `_load_pyfunc`. MLflow itself is not imported."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import polars as pl

from homeostat.train.package import Package, predict, read_package

if TYPE_CHECKING:
    import pandas as pd


class PyFunc:
    """A package as MLflow wants models: pandas rows in, labels (numbers for regression) out."""

    def __init__(self, package: Package) -> None:
        self.package = package

    def predict(self, features: "pd.DataFrame", params: dict[str, Any] | None = None) -> npt.NDArray[Any]:
        """Return the labels; the package's own pandas types are restored first, so that any caller's types will do."""
        del params  # part of MLflow's interface
        return predict(self.package, pl.from_pandas(features)).labels


def _load_pyfunc(path: str) -> PyFunc:
    return PyFunc(read_package(Path(path)))
