import json
import subprocess
import sys
import threading
import types
from datetime import UTC, datetime

import numpy as np
import pytest
import yaml

from homeostat.core.columns import Task
from homeostat.core.errors import InvalidInput
from homeostat.train.frames import target, to_pandas
from homeostat.train.package import Package, predict, read_package, write_package

NOW = datetime(2024, 5, 1, tzinfo=UTC)


class Rule:
    """A model that is just a rule, without probabilities."""

    def predict(self, X):
        return ["yes" if value > 0 else "no" for value in X["amount"].fillna(0.0)]


def _fitted(rows, signature, task):
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline

    numbers = make_column_transformer(("passthrough", make_column_selector(dtype_include="number")))
    last = HistGradientBoostingRegressor if task is Task.REGRESSION else HistGradientBoostingClassifier
    frame = rows(200, task=task)
    return make_pipeline(numbers, last(max_iter=5)).fit(
        to_pandas(frame, signature(task).columns), target(frame["late"], task)
    )


@pytest.mark.parametrize("task", list(Task))
def test_what_is_read_answers_as_what_was_written(tmp_path, rows, signature, task):
    model, frame = _fitted(rows, signature, task), rows(50, task=task, seed=1)
    write_package(model, tmp_path / "m", signature=signature(task), example=frame, now=NOW)
    package = read_package(tmp_path / "m")
    assert package.signature == signature(task)
    before, after = predict(Package(model=model, signature=signature(task)), frame), predict(package, frame)
    assert after.labels.tolist() == before.labels.tolist()
    assert (after.scores is None) == (task is Task.REGRESSION)
    if after.scores is not None:
        assert np.array_equal(after.scores, before.scores)


@pytest.mark.filterwarnings("ignore")  # MLflow's own
@pytest.mark.parametrize("task", list(Task))
def test_mlflow_reads_it_and_agrees(tmp_path, rows, signature, task):
    import mlflow

    model, frame = _fitted(rows, signature, task), rows(50, task=task, seed=1)
    write_package(model, tmp_path / "m", signature=signature(task), example=frame, now=NOW)
    ours = predict(read_package(tmp_path / "m"), frame).labels.tolist()
    features = to_pandas(frame, signature(task).columns)
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "m"))
    natural = features.assign(vip=frame["vip"].to_list())  # True, False, None, as a caller has them
    assert loaded.predict(natural).tolist() == ours
    assert loaded.predict(natural[natural.columns[::-1]]).tolist() == ours
    assert mlflow.sklearn.load_model(str(tmp_path / "m")).predict(features).tolist() == ours
    assert loaded.metadata.signature.inputs.input_names() == list(signature(task).names)
    assert loaded.input_example.shape == (5, 6)


def test_a_plain_rule_is_a_model_and_no_sklearn_flavor(tmp_path, rows, signature):
    write_package(Rule(), tmp_path / "m", signature=signature(), example=rows(5), now=NOW)
    answers = predict(read_package(tmp_path / "m"), rows(20))
    assert answers.scores is None
    assert set(answers.labels.tolist()) == {"no", "yes"}
    assert "sklearn" not in yaml.safe_load((tmp_path / "m" / "MLmodel").read_text())["flavors"]


def test_the_requirements_name_what_the_pickle_needs(tmp_path, rows, signature):
    write_package(
        _fitted(rows, signature, Task.BINARY), tmp_path / "m", signature=signature(), example=rows(5), now=NOW
    )
    names = {line.partition("==")[0] for line in (tmp_path / "m" / "requirements.txt").read_text().split()}
    assert {"homeostat", "cloudpickle", "numpy", "scikit-learn"} <= names
    assert "pytest" not in names
    example = json.loads((tmp_path / "m" / "input_example.json").read_text())
    assert example["columns"] == list(signature().names)
    assert len(example["data"]) == 5


def test_classes_of_the_users_own_files_travel_inside(tmp_path, rows, signature, monkeypatch):
    root = tmp_path / "project"
    root.mkdir()
    (root / "my_rules_7.py").write_text(
        "import my_limits_7\nclass Mine:\n    def predict(self, X):\n        return ['yes' if v > my_limits_7.LIMIT else 'no' for v in X['count']]\n"
    )
    (root / "my_limits_7.py").write_text("LIMIT = 50\n")
    monkeypatch.syspath_prepend(str(root))
    module = __import__("my_rules_7")
    try:
        write_package(module.Mine(), tmp_path / "m", signature=signature(), example=rows(5), now=NOW, code_root=root)
    finally:
        sys.modules.pop("my_rules_7"), sys.modules.pop("my_limits_7")
    frame = rows(20)
    frame.write_parquet(tmp_path / "rows.parquet")
    script = (
        "import sys, json, polars as pl\nfrom pathlib import Path\nfrom homeostat.train.package import predict, read_package\n"
        "print(json.dumps(predict(read_package(Path(sys.argv[1])), pl.read_parquet(sys.argv[2])).labels.tolist()))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(tmp_path / "m"), str(tmp_path / "rows.parquet")],
        cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["yes" if v > 50 else "no" for v in frame["count"]]


def test_a_model_that_cannot_be_pickled_is_refused_and_nothing_is_written(tmp_path, rows, signature):
    model = types.SimpleNamespace(predict=None, lock=threading.Lock())
    with pytest.raises(InvalidInput, match="cannot be pickled"):
        write_package(model, tmp_path / "m", signature=signature(), example=rows(5), now=NOW)
    assert list((tmp_path / "m").iterdir()) == []


def test_a_package_is_not_written_over_another(tmp_path, rows, signature):
    write_package(Rule(), tmp_path / "m", signature=signature(), example=rows(5), now=NOW)
    with pytest.raises(InvalidInput, match="not empty"):
        write_package(Rule(), tmp_path / "m", signature=signature(), example=rows(5), now=NOW)


@pytest.mark.parametrize("broken", ["absent", "MLmodel", "model.pkl"])
def test_a_folder_that_is_no_package_is_refused(tmp_path, rows, signature, broken):
    folder = tmp_path / "m"
    if broken != "absent":
        write_package(Rule(), folder, signature=signature(), example=rows(5), now=NOW)
        (folder / broken).write_bytes(b"\x80 not what it was: [")
    with pytest.raises(InvalidInput, match=r"not a model package|cannot be loaded"):
        read_package(folder)
