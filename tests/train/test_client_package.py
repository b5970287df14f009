import json
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import yaml
from sklearn.linear_model import LogisticRegression, Ridge

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.errors import InvalidInput, MissingExtra
from homeostat.train.client_package import plain
from homeostat.train.package import predict, read_package

FEATURES = (
    Column(name="a", kind=Kind.FLOAT, nullable=False),
    Column(name="n", kind=Kind.INTEGER, nullable=False),
    Column(name="b", kind=Kind.CATEGORY),
)
BINARY = Signature(task=Task.BINARY, columns=FEATURES, target="y", classes=(0, 1))
REGRESSION = Signature(task=Task.REGRESSION, columns=FEATURES, target="y")


def rows(n=50, seed=0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame({"a": rng.random(n), "n": rng.integers(0, 9, n), "b": rng.choice(["x", "y"], n)})


def write(folder, flavors, inputs=(), **files):
    """An MLmodel file as the client writes it, and the files beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    signature = {"inputs": json.dumps([{"name": name, "type": kind} for name, kind in inputs])} if inputs else None
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors, "signature": signature}))
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    return folder


def pickled(model):
    import cloudpickle

    return cloudpickle.dumps(model)


def sklearn_flavor(**changes):
    return {"sklearn": {"pickled_model": "model.pkl", "serialization_format": "cloudpickle", "code": None, **changes}}


def fitted(columns, model=None, seed=0):
    frame = rows(seed=seed).to_pandas()
    return (model or LogisticRegression()).fit(frame[columns], (frame["a"] > 0.5).astype(int))


def test_a_scikit_learn_model_gets_the_columns_it_declares_and_gives_probabilities(tmp_path):
    model = fitted(["n", "a"])
    folder = write(tmp_path / "m", sklearn_flavor(), [("n", "long"), ("a", "double")], model__pkl=pickled(model))
    answers = predict(read_package(folder, signature=BINARY), rows())
    X = rows().to_pandas()[["n", "a"]]
    assert answers.labels.tolist() == model.predict(X).tolist()
    np.testing.assert_allclose(answers.scores, model.predict_proba(X))


def test_one_that_declares_nothing_gets_what_it_was_fitted_on(tmp_path):
    folder = write(tmp_path / "m", sklearn_flavor(), model__pkl=pickled(fitted(["a"], Ridge())))
    assert len(predict(read_package(folder, signature=REGRESSION), rows())) == 50


def test_a_skops_file_is_read(tmp_path):
    skops = pytest.importorskip("skops.io", reason="no skops here")
    folder = write(tmp_path / "m", sklearn_flavor(pickled_model="model.skops", serialization_format="skops"))
    skops.dump(fitted(["a"]), folder / "model.skops")
    assert predict(read_package(folder, signature=BINARY), rows()).scores.shape == (50, 2)


class Kinds:
    """Answers whether it got exactly the types that were declared."""

    def predict(self, frame):
        kinds = [str(kind) for kind in frame.dtypes]
        return np.full(len(frame), float(kinds == ["float32", "int32"]))


def test_columns_come_in_exactly_the_declared_types(tmp_path):
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    content = pickled(Kinds())
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    folder = write(tmp_path / "m", sklearn_flavor(), [("a", "float"), ("n", "integer")], model__pkl=content)
    assert set(predict(read_package(folder, signature=REGRESSION), rows()).labels) == {1.0}


def test_the_clients_own_modules_travel_beside_the_model(tmp_path):
    folder = write(tmp_path / "m", sklearn_flavor(code="code"), model__pkl=b"cowntravelling_rules\nRule\n)\x81.")
    (folder / "code").mkdir()
    (folder / "code" / "owntravelling_rules.py").write_text(
        "class Rule:\n    def predict(self, X):\n        return [2.0] * len(X)\n"
    )
    try:
        assert set(predict(read_package(folder, signature=REGRESSION), rows()).labels) == {2.0}
    finally:
        sys.path.remove(str(folder / "code"))


def test_an_xgboost_model_is_read_without_mlflow_and_gives_probabilities(tmp_path):
    xgboost = pytest.importorskip("xgboost", reason="no xgboost here")
    frame = rows(200).to_pandas()
    model = xgboost.XGBClassifier(n_estimators=5).fit(frame[["a"]], (frame["a"] > 0.5).astype(int))
    flavor = {"xgboost": {"data": "model.ubj", "model_class": "xgboost.sklearn.XGBClassifier", "code": None}}
    folder = write(tmp_path / "m", flavor, [("a", "double")])
    model.save_model(folder / "model.ubj")
    script = (
        "import sys, polars as pl\nfrom pathlib import Path\n"
        "from homeostat.train.package import predict, read_package\nfrom tests.train.test_client_package import BINARY, rows\n"
        "answers = predict(read_package(Path(sys.argv[1]), signature=BINARY), rows())\n"
        "print(answers.labels.tolist(), answers.scores.shape, 'mlflow' in sys.modules)\n"
    )
    said = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == f"{model.predict(rows().to_pandas()[['a']]).tolist()} (50, 2) False"


def test_without_mlflow_what_only_it_can_load_is_told_with_the_command(tmp_path, monkeypatch):
    folder = write(tmp_path / "m", {"python_function": {"loader_module": "mlflow.pyfunc.model"}})
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setitem(sys.modules, "mlflow.pyfunc", None)
    with pytest.raises(MissingExtra) as caught:
        read_package(folder, signature=BINARY)
    assert caught.value.hint == "pip install 'homeostat[mlflow]'"


def test_a_client_package_without_a_signature_is_refused(tmp_path):
    folder = write(tmp_path / "m", sklearn_flavor(), model__pkl=pickled(fitted(["a"])))
    with pytest.raises(InvalidInput, match="logged by a client") as caught:
        read_package(folder)
    assert "models adopt" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"cnowhere_to_be_found\nX\n.", "needs the module 'nowhere_to_be_found'"),
        (b"broken", "cannot be loaded"),
        (b"", "cannot"),
    ],
)
def test_what_cannot_be_loaded_is_told(tmp_path, content, match):
    folder = write(tmp_path / "m", sklearn_flavor(), model__pkl=content)
    with pytest.raises(InvalidInput, match=match):
        read_package(folder, signature=BINARY)


def test_files_that_are_missing_are_told(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be loaded"):
        read_package(write(tmp_path / "m", sklearn_flavor()), signature=BINARY)
    for text in ("flavors: 3", "[]", "a: b", "flavors: [x"):
        (tmp_path / "m" / "MLmodel").write_text(text)
        with pytest.raises(InvalidInput, match="not a model package"):
            read_package(tmp_path / "m", signature=BINARY)


@pytest.mark.parametrize(
    "answer",
    [pd.DataFrame({"p": [1, 2]}), pd.Series([1, 2]), np.array([[1], [2]]), np.array([1, 2]), [1, 2]],
)
def test_tables_of_one_column_are_values(answer):
    assert np.asarray(plain(answer)).tolist() == [1, 2]
