"""Reading model packages that the `mlflow` client wrote, whatever their flavor. Like every reading of a package, it runs the package's code.

scikit-learn, LightGBM, statsmodels (but its time series), ONNX, and XGBoost's scikit-learn models are loaded as themselves, without MLflow, and
so give probabilities where they have any. All others go through `mlflow.pyfunc`, which must then be installed.
"""

import importlib
import json
import os
import sys
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import InvalidInput, MissingExtra
from homeostat.train.client_onnx import read_onnx

if TYPE_CHECKING:
    import pandas as pd

_DTYPES = {
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "boolean": "bool",
    "datetime": "datetime64[ns]",
}


class Answering:
    """A client's model behind the features of the project: it gets the columns that its package declares, of exactly those types.

    One that declares none gets those that it was fitted on, where it knows them, else all. `takes_params`: as MLflow's own pyfuncs do; for
    models that are loaded without MLflow its flavors leave params alone, and so does this.
    """

    def __init__(self, model: Any, types: Mapping[str, str], *, takes_params: bool = False) -> None:
        self.model = model
        self._takes_params = takes_params
        self.params: Mapping[str, Any] = {}
        self._types = types
        self._names = list(types) or list(getattr(model, "feature_names_in_", ()))

    def with_params(self, params: Mapping[str, Any]) -> "Answering":
        """Return the same model, told these params."""
        told = copy(self)
        told.params = params
        return told

    def predict(self, features: "pd.DataFrame") -> Any:
        rows = self.cast(features)
        if self.params and self._takes_params:
            return plain(self.model.predict(rows, params=dict(self.params)))
        return plain(self.model.predict(rows))

    def cast(self, features: "pd.DataFrame") -> "pd.DataFrame":
        """Return the declared columns in the declared types; a column with nulls stays as it is where its type knows none."""
        if self._names:
            features = features[self._names]
        wanted = {
            name: _DTYPES[kind]
            for name, kind in self._types.items()
            if kind in _DTYPES and name in features and not (kind in _WHOLE and features[name].isna().any())
        }
        return features.astype(wanted)


_WHOLE = ("integer", "long", "boolean")


class Scoring(Answering):
    """One that gives probabilities too."""

    @property
    def classes_(self) -> Any:
        return self.model.classes_

    def predict_proba(self, features: "pd.DataFrame") -> Any:
        return self.model.predict_proba(self.cast(features))


def read_client_model(folder: Path, described: Mapping[str, Any]) -> Answering:
    """Return the model in `folder`, whose MLmodel file says `described`; raise InvalidInput naming what is not there to load it."""
    flavors = described.get("flavors") or {}
    types = _declared_types(described)
    try:
        if "sklearn" in flavors:
            model = _sklearn(folder, flavors["sklearn"])
        elif str(flavors.get("xgboost", {}).get("model_class", "")).startswith("xgboost.sklearn."):
            model = _xgboost(folder, flavors["xgboost"])
        elif "lightgbm" in flavors:
            model = _lightgbm(folder, flavors["lightgbm"])
        elif "onnx" in flavors:
            model = read_onnx(folder / str(flavors["onnx"]["data"]))
        else:
            model = _statsmodels(folder, flavors["statsmodels"]) if "statsmodels" in flavors else None
            if model is None:
                return Answering(_pyfunc(folder), types, takes_params=True)
    except ModuleNotFoundError as error:
        raise InvalidInput(
            f"the model in {folder} needs the module '{error.name}', which is not installed here",
            hint=f"pip install -r {folder / 'requirements.txt'}",
        ) from error
    except (InvalidInput, MissingExtra):
        raise
    except Exception as error:  # border: loading runs foreign code, which raises what it likes
        raise InvalidInput(
            f"the model in {folder} cannot be loaded: {type(error).__name__}: {error}",
            hint="compare the installed versions with its requirements.txt",
        ) from error
    return (Scoring if callable(getattr(model, "predict_proba", None)) else Answering)(model, types)


def plain(answer: Any) -> Any:
    """Return what a pyfunc answered as an array: tables become one, a single column becomes a list of values."""
    values = answer.to_numpy() if hasattr(answer, "to_numpy") else answer
    return values[:, 0] if getattr(values, "ndim", 1) == 2 and values.shape[1] == 1 else values


def _declared_types(described: Mapping[str, Any]) -> dict[str, str]:
    inputs = (described.get("signature") or {}).get("inputs")
    return {str(each.get("name")): str(each.get("type")) for each in json.loads(inputs)} if inputs else {}


def _sklearn(folder: Path, flavor: Mapping[str, Any]) -> Any:
    _add_code(folder, flavor)
    path = folder / str(flavor["pickled_model"])
    if flavor.get("serialization_format") == "skops":
        skops = importlib.import_module("skops.io")
        return skops.load(path, trusted=flavor.get("skops_trusted_types") or [])
    import cloudpickle

    return cloudpickle.loads(path.read_bytes())


def _xgboost(folder: Path, flavor: Mapping[str, Any]) -> Any:
    _add_code(folder, flavor)
    kind = getattr(importlib.import_module("xgboost"), str(flavor["model_class"]).rpartition(".")[2])
    model = kind()
    model.load_model(folder / str(flavor["data"]))
    return model


def _lightgbm(folder: Path, flavor: Mapping[str, Any]) -> Any:
    _add_code(folder, flavor)
    path = folder / str(flavor["data"])
    if str(flavor.get("model_class", "lightgbm.basic.Booster")) == "lightgbm.basic.Booster":
        return importlib.import_module("lightgbm").Booster(model_file=str(path))
    return _sklearn(folder, {**flavor, "pickled_model": flavor["data"]})


def _statsmodels(folder: Path, flavor: Mapping[str, Any]) -> Any:
    """Return the fitted results; None for time series, which are asked for spans of time instead of rows."""
    _add_code(folder, flavor)
    results = importlib.import_module("statsmodels.iolib.api").load_pickle(str(folder / str(flavor["data"])))
    series = importlib.import_module("statsmodels.tsa.base.tsa_model").TimeSeriesModel
    return None if isinstance(results.model, series) else results


def _add_code(folder: Path, flavor: Mapping[str, Any]) -> None:
    """The client's own modules travel beside the model."""
    code = flavor.get("code")
    if code and str(folder / str(code)) not in sys.path:
        sys.path.insert(0, str(folder / str(code)))


def _pyfunc(folder: Path) -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    try:
        import mlflow.pyfunc
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != "mlflow":
            raise
        raise MissingExtra(
            f"the model in {folder} is of a flavor that only mlflow can load, and mlflow is not installed",
            extra="mlflow",
        ) from error
    return mlflow.pyfunc.load_model(str(folder))
