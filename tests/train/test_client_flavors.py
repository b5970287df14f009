"""Every flavor that is installed here: what the package answers is what `mlflow.pyfunc` answers on the same rows."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from homeostat.core.columns import Column, Kind, Param, Signature, Task
from homeostat.registry.declared import parse
from homeostat.train.package import predict, read_package

pytestmark = pytest.mark.filterwarnings("ignore")  # the client and its flavors warn of each other
COLUMNS = tuple(Column(name=name, kind=Kind.FLOAT, nullable=False) for name in ("a", "b", "c"))
BINARY = Signature(task=Task.BINARY, columns=COLUMNS, target="y", classes=(0, 1))
REGRESSION = Signature(task=Task.REGRESSION, columns=COLUMNS, target="y")
X = pd.DataFrame(np.random.default_rng(3).normal(size=(200, 3)), columns=["a", "b", "c"])
NUMBER = X["a"] * 2 - X["b"] + 0.1
LABEL = (NUMBER > 0).astype(int)


def logged(folder, flavor, model, **more):
    mlflow = pytest.importorskip("mlflow", reason="no mlflow here")
    module = getattr(__import__(f"mlflow.{flavor}"), flavor)
    signature = mlflow.models.infer_signature(X)
    module.save_model(model, path=str(folder), signature=signature, pip_requirements=[], **more)
    return mlflow.pyfunc.load_model(str(folder))


def ours(folder, signature):
    return predict(read_package(folder, signature=signature), pl.from_pandas(X))


def onnx_of(model):
    skl2onnx = pytest.importorskip("skl2onnx", reason="no skl2onnx here")
    return skl2onnx.to_onnx(
        model, X.to_numpy(np.float64), options={"zipmap": False} if hasattr(model, "classes_") else None
    )


@pytest.mark.parametrize("flavor", ["sklearn", "xgboost", "lightgbm"])
def test_classifiers_answer_the_same_labels_and_have_probabilities(tmp_path, flavor):
    if flavor == "sklearn":
        model, more = HistGradientBoostingClassifier(max_iter=5), {"serialization_format": "cloudpickle"}
    elif flavor == "xgboost":
        model, more = pytest.importorskip("xgboost", reason="no xgboost here").XGBClassifier(n_estimators=5), {}
    else:
        lightgbm = pytest.importorskip("lightgbm", reason="no lightgbm here")
        model, more = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1), {"serialization_format": "cloudpickle"}
    model.fit(X, LABEL)
    theirs = logged(tmp_path / "m", flavor, model, **more)
    said = ours(tmp_path / "m", BINARY)
    assert said.labels.tolist() == list(theirs.predict(X))
    np.testing.assert_allclose(said.scores, model.predict_proba(X), atol=1e-12)


@pytest.mark.parametrize("flavor", ["xgboost", "lightgbm"])
def test_boosters_answer_the_same_probabilities(tmp_path, flavor):
    library = pytest.importorskip(flavor, reason=f"no {flavor} here")
    if flavor == "xgboost":
        model = library.train({"objective": "binary:logistic"}, library.DMatrix(X, LABEL), num_boost_round=5)
    else:
        model = library.train({"objective": "binary", "verbose": -1}, library.Dataset(X, LABEL), num_boost_round=5)
    theirs = logged(tmp_path / "m", flavor, model).predict(X)
    said = ours(tmp_path / "m", BINARY)
    np.testing.assert_allclose(said.scores[:, 1], theirs, atol=1e-12)
    assert said.labels.tolist() == (np.asarray(theirs) >= 0.5).astype(int).tolist()


@pytest.mark.parametrize("kind", ["ols", "logit"])
def test_statsmodels_answers_the_same(tmp_path, kind):
    api = pytest.importorskip("statsmodels.api", reason="no statsmodels here")
    noise = np.random.default_rng(0).normal(size=len(X))
    if kind == "ols":
        model = api.OLS(NUMBER + noise, X).fit()
    else:
        model = api.Logit((NUMBER + 2 * noise > 0).astype(int), X).fit(disp=0)
    theirs = logged(tmp_path / "m", "statsmodels", model).predict(X)
    said = ours(tmp_path / "m", REGRESSION if kind == "ols" else BINARY)
    np.testing.assert_allclose(said.labels if kind == "ols" else said.scores[:, 1], theirs, atol=1e-12)


def test_onnx_answers_the_same_numbers(tmp_path):
    theirs = logged(tmp_path / "m", "onnx", onnx_of(LinearRegression().fit(X.to_numpy(), NUMBER))).predict(X)
    np.testing.assert_allclose(ours(tmp_path / "m", REGRESSION).labels, theirs.to_numpy()[:, 0], atol=1e-12)


def test_an_onnx_classifier_answers_labels_and_probabilities(tmp_path):
    """`mlflow.pyfunc` itself cannot answer two outputs of different widths: what was converted is the judge."""
    model = LogisticRegression().fit(X.to_numpy(), LABEL)
    logged(tmp_path / "m", "onnx", onnx_of(model))
    said = ours(tmp_path / "m", BINARY)
    assert said.labels.tolist() == model.predict(X.to_numpy()).tolist()
    np.testing.assert_allclose(said.scores, model.predict_proba(X.to_numpy()), atol=1e-6)


def test_a_pyfunc_is_told_the_params_that_its_signature_declares(tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="no mlflow here")

    class Shift(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input.iloc[:, 0].to_numpy() + params["by"]

    signature = mlflow.models.infer_signature(X, X.iloc[:, 0], params={"by": 0.5, "words": ["a"]})
    mlflow.pyfunc.save_model(str(tmp_path / "m"), python_model=Shift(), signature=signature)
    said = parse((tmp_path / "m" / "MLmodel").read_bytes())
    assert said.params == (Param(name="by", type="double"), Param(name="words", type="string", is_list=True))
    theirs = mlflow.pyfunc.load_model(str(tmp_path / "m"))
    model = read_package(tmp_path / "m", signature=REGRESSION).model
    assert model.predict(X).tolist() == theirs.predict(X).tolist()
    assert model.with_params({"by": 2.0}).predict(X).tolist() == theirs.predict(X, params={"by": 2.0}).tolist()
    assert model.predict(X).tolist() == theirs.predict(X).tolist()


def test_a_pyfunc_answers_the_same(tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="no mlflow here")

    class Rule(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input["a"] * 3

    mlflow.pyfunc.save_model(
        str(tmp_path / "m"), python_model=Rule(), signature=mlflow.models.infer_signature(X), pip_requirements=[]
    )
    theirs = mlflow.pyfunc.load_model(str(tmp_path / "m")).predict(X)
    np.testing.assert_allclose(ours(tmp_path / "m", REGRESSION).labels, theirs, atol=1e-12)
