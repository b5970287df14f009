"""`evaluate`, autologging and the loggers of files, as a data scientist's scripts use them, read back through the client."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from tests.compat.machine import our_world

mlflow = pytest.importorskip("mlflow", reason="no mlflow here")
from mlflow.entities import ViewType  # noqa: E402 - only where it is installed
from mlflow.models import infer_signature  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own


@pytest.fixture
def client(monkeypatch):
    before = mlflow.get_tracking_uri()
    with our_world() as world:
        mlflow.set_tracking_uri(world.client.tracking_uri)
        mlflow.set_experiment("measured")
        yield world.client
    mlflow.set_tracking_uri(before)


def rows(make, **options):
    X, y = make(n_samples=60, n_features=3, random_state=0, **options)
    return pd.DataFrame(X, columns=["a", "b", "c"]), y


def test_a_classifier_is_evaluated(client):
    X, y = rows(make_classification, n_classes=3, n_informative=3, n_redundant=0)
    model = LogisticRegression().fit(X, y)
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(model, name="model", signature=infer_signature(X, model.predict(X)))
        result = mlflow.models.evaluate(
            info.model_uri,
            X.assign(y=y),
            targets="y",
            model_type="classifier",
            evaluator_config={"log_explainer": False, "log_model_explainability": False},
        )
        table = pd.DataFrame({"a": [1.5, None], "name": ["é", "x"]})
        mlflow.log_table(table, "own.json")
    found = client.get_run(run.info.run_id)
    assert result.metrics["accuracy_score"] == model.score(X, y)
    assert found.data.metrics == {key: pytest.approx(value) for key, value in result.metrics.items()}
    assert {one.path for one in client.list_artifacts(run.info.run_id)} >= {
        "confusion_matrix.png",
        "per_class_metrics.csv",
        "own.json",
    }
    per_class = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/per_class_metrics.csv")
    assert len(per_class.strip().splitlines()) == 4
    assert mlflow.artifacts.load_image(f"{run.info.artifact_uri}/confusion_matrix.png").width > 100
    assert mlflow.load_table("own.json", run_ids=[run.info.run_id])["name"].tolist() == ["é", "x"]
    (used,) = found.inputs.dataset_inputs
    measured = mlflow.get_logged_model(info.model_id).metrics
    assert {one.key: one.value for one in measured} == {key: pytest.approx(v) for key, v in result.metrics.items()}
    assert {(one.dataset_name, one.dataset_digest) for one in measured} == {(used.dataset.name, used.dataset.digest)}


def test_a_regressor_is_evaluated_from_its_predictions_alone(client):
    X, y = rows(make_regression, noise=3.0)
    predictions = LinearRegression().fit(X, y).predict(X)
    with mlflow.start_run() as run:
        result = mlflow.models.evaluate(
            data=X.assign(y=y, p=predictions), targets="y", predictions="p", model_type="regressor"
        )
    assert result.metrics["mean_squared_error"] == pytest.approx(np.mean((y - predictions) ** 2))
    assert client.get_run(run.info.run_id).data.metrics == {k: pytest.approx(v) for k, v in result.metrics.items()}


def test_a_grid_search_leaves_a_run_for_each_candidate(client):
    X, y = rows(make_classification, n_informative=2, n_redundant=0)
    mlflow.sklearn.autolog(max_tuning_runs=None, silent=True)
    try:
        search = GridSearchCV(LogisticRegression(), {"C": [0.01, 1.0, 10.0]}, cv=2).fit(X, y)
    finally:
        mlflow.sklearn.autolog(disable=True)
    frame = mlflow.search_runs(experiment_names=["measured"])
    parents = frame[frame["tags.mlflow.parentRunId"].isna()]
    (parent,) = parents["run_id"]
    children = mlflow.search_runs(
        experiment_names=["measured"],
        filter_string=f"tags.mlflow.parentRunId = '{parent}'",
        order_by=["metrics.mean_test_score DESC"],
    )
    assert sorted(children["params.C"]) == ["0.01", "1.0", "10.0"]
    assert children["metrics.mean_test_score"].tolist() == sorted(search.cv_results_["mean_test_score"], reverse=True)
    assert set(frame["status"]) == {"FINISHED"}
    found = client.get_run(parent)
    assert found.data.params["best_C"] == str(search.best_params_["C"])
    assert found.data.metrics["best_cv_score"] == search.best_score_
    assert "cv_results.csv" in {one.path for one in client.list_artifacts(parent)}
    (best,) = [one for one in mlflow.search_logged_models(output_format="list") if one.name == "best_estimator"]
    answers = mlflow.pyfunc.load_model(f"models:/{best.model_id}").predict(X)
    assert answers.tolist() == search.best_estimator_.predict(X).tolist()


def test_the_data_frame_of_runs_has_every_column(client):
    experiment = client.get_experiment_by_name("measured").experiment_id
    first = client.create_run(experiment, start_time=1_700_000_000_000, run_name="one", tags={"t": "v"})
    client.log_metric(first.info.run_id, "m", 0.5)
    client.set_terminated(first.info.run_id, end_time=1_700_000_001_000)
    second = client.create_run(experiment, start_time=1_700_000_002_000, run_name="two")
    client.log_param(second.info.run_id, "p", "x")
    gone = client.create_run(experiment)
    client.delete_run(gone.info.run_id)
    frame = mlflow.search_runs([experiment], order_by=["start_time"])
    assert frame["run_id"].tolist() == [first.info.run_id, second.info.run_id]
    assert frame["start_time"].tolist() == [
        pd.Timestamp(1_700_000_000_000, unit="ms", tz="UTC"),
        pd.Timestamp(1_700_000_002_000, unit="ms", tz="UTC"),
    ]
    assert frame["end_time"].isna().tolist() == [False, True]
    assert frame["status"].tolist() == ["FINISHED", "RUNNING"]
    assert frame["metrics.m"].fillna(-1).tolist() == [0.5, -1]
    assert frame["params.p"].isna().tolist() == [True, False]
    assert frame["tags.t"].isna().tolist() == [False, True]
    assert frame["artifact_uri"].tolist() == [first.info.artifact_uri, second.info.artifact_uri]
    assert len(mlflow.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)) == 1
    assert len(mlflow.search_runs(search_all_experiments=True, max_results=1)) == 1


def test_images_texts_and_figures(client):
    from matplotlib.figure import Figure

    picture = np.zeros((8, 6, 3), dtype=np.uint8)
    picture[2, 3] = (255, 0, 10)
    figure = Figure()
    figure.subplots().plot([1, 2])
    with mlflow.start_run() as run:
        mlflow.log_image(picture, "folder/one.png")
        for step in range(2):
            mlflow.log_image(picture, key="seen/eyes", step=step)
        mlflow.log_text("größe", "t.txt")
        mlflow.log_figure(figure, "f.png")
    root = run.info.artifact_uri
    assert np.array_equal(np.asarray(mlflow.artifacts.load_image(f"{root}/folder/one.png")), picture)
    assert mlflow.artifacts.load_text(f"{root}/t.txt") == "größe"
    assert mlflow.artifacts.load_image(f"{root}/f.png").width > 100
    kept = [one.path for one in client.list_artifacts(run.info.run_id, "images")]
    assert sum(path.endswith(".png") for path in kept) == 2
    assert all("seen#eyes" in path or "seen~eyes" in path for path in kept)
    for path in kept:
        if path.endswith(".png"):
            assert np.array_equal(np.asarray(mlflow.artifacts.load_image(f"{root}/{path}")), picture)


def test_a_models_description_on_its_run(client):
    X, y = rows(make_classification, n_informative=2, n_redundant=0)
    model = LogisticRegression().fit(X, y)
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(
            model, name="model", signature=infer_signature(X, y), input_example=X[:2], metadata={"team": "é"}
        )
    loaded = mlflow.models.get_model_info(info.model_uri)
    assert loaded.metadata == {"team": "é"}
    assert loaded.signature == infer_signature(X, y)
    example = mlflow.models.Model.load(info.model_uri).load_input_example(
        mlflow.artifacts.download_artifacts(info.model_uri)
    )
    pd.testing.assert_frame_equal(example, X[:2])
    (output,) = client.get_run(run.info.run_id).outputs.model_outputs
    assert (output.model_id, output.step) == (info.model_id, 0)
    assert json.loads(json.dumps(loaded.flavors["python_function"]))["loader_module"] == "mlflow.sklearn"
