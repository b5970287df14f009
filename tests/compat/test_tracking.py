"""Experiments, runs, metrics, params, tags and searches, as a data scientist's scripts use them."""

import math
import threading

import pandas as pd
import pytest
from tests.compat.door import client_of

from homeostat.audit.log import verify

mlflow = pytest.importorskip("mlflow", reason="no mlflow here")
from mlflow import MlflowClient, MlflowException  # noqa: E402 - only where it is installed
from mlflow.entities import Metric, Param, RunTag, ViewType  # noqa: E402
from mlflow.utils.search_utils import SearchUtils  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own


@pytest.fixture
def client(store, tmp_path):
    with client_of(store, tmp_path, experiment="flights") as found:
        yield found


def test_a_script_with_everything_reads_back_field_by_field(client, store):
    with mlflow.start_run(run_name="outer", tags={"team": "a"}, description="what it is") as outer:
        mlflow.log_param("depth", 3)
        mlflow.log_params({"rate": 0.1, "name": "größe"})
        for step in range(3):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"nan": math.nan, "up": math.inf, "down": -math.inf}, step=2)
        mlflow.set_tag("note", "x")
        mlflow.log_input(mlflow.data.from_pandas(pd.DataFrame({"a": [1.0]}), name="rows"), context="training")
        with mlflow.start_run(nested=True) as inner:
            mlflow.log_metric("inner", 1)
    run = client.get_run(outer.info.run_id)
    assert (run.info.run_name, run.info.status, run.info.lifecycle_stage) == ("outer", "FINISHED", "active")
    assert run.info.end_time >= run.info.start_time == outer.info.start_time
    assert run.data.params == {"depth": "3", "rate": "0.1", "name": "größe"}
    assert math.isnan(run.data.metrics.pop("nan"))
    assert run.data.metrics == {"loss": 1 / 3, "up": math.inf, "down": -math.inf}
    assert run.data.tags.items() >= {"team": "a", "note": "x", "mlflow.note.content": "what it is"}.items()
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.tags[0].value) == ("rows", "training")
    assert [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")] == [
        (0, 1.0),
        (1, 0.5),
        (2, 1 / 3),
    ]
    assert client.get_run(inner.info.run_id).data.tags["mlflow.parentRunId"] == run.info.run_id
    assert verify(store) > 0


def test_a_script_that_fails_leaves_a_failed_run(client):
    with pytest.raises(ZeroDivisionError), mlflow.start_run() as run:
        raise ZeroDivisionError
    assert client.get_run(run.info.run_id).info.status == "FAILED"


def test_what_may_not_be_is_told_in_the_clients_own_error(client):
    run = client.create_run("0").info.run_id
    client.log_param(run, "a", 1)
    for call, code in (
        (lambda: client.log_param(run, "a", 2), "INVALID_PARAMETER_VALUE"),
        (lambda: client.get_run("f" * 32), "RESOURCE_DOES_NOT_EXIST"),
        (lambda: client.create_experiment("flights"), "RESOURCE_ALREADY_EXISTS"),
        (lambda: client.get_experiment("999"), "RESOURCE_DOES_NOT_EXIST"),
        (lambda: client.delete_tag(run, "none"), "RESOURCE_DOES_NOT_EXIST"),
        (lambda: client.search_runs(["0"], "metrics.a > 'x'"), "INVALID_PARAMETER_VALUE"),
    ):
        with pytest.raises(MlflowException) as caught:
            call()
        assert caught.value.error_code == code


def test_deleting_and_restoring(client):
    experiment = client.create_experiment("gone")
    run = client.create_run(experiment).info.run_id
    client.delete_run(run)
    assert [r.info.run_id for r in client.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)] == [run]
    client.restore_run(run)
    client.delete_experiment(experiment)
    with pytest.raises(MlflowException, match="deleted"):
        mlflow.set_experiment("gone")
    client.restore_experiment(experiment)
    client.rename_experiment(experiment, "back")
    assert client.get_experiment_by_name("back").lifecycle_stage == "active"
    assert [r.info.run_id for r in client.search_runs([experiment])] == [run]


FILTERS = [
    "metrics.m > 0.4 and params.p = 'x'",
    "metrics.m != 0.5",
    "metrics.`with space` >= 1 AND tags.t LIKE 'v%'",
    "tags.t ILIKE 'V_'",
    "params.p != 'x'",
    "params.q IS NULL and tags.t IS NOT NULL",
    "attributes.run_name = 'run 3'",
    "run_name LIKE 'run%' and status = 'RUNNING'",
    "attributes.start_time < 1700000000005",
    "datasets.name IN ('even')",
    "dataset.digest = 'd' and metrics.m <= 0.8",
    "",
]
ORDERS = [
    ["metrics.m DESC"],
    ["params.p", "metrics.m"],
    ["tags.t DESC"],
    ["start_time ASC"],
    ["metrics.`with space`"],
    [],
]


@pytest.fixture
def filled(client):
    experiment = client.create_experiment("many")
    for n in range(12):
        run = client.create_run(experiment, start_time=1700000000000 + n // 2, run_name=f"run {n}").info.run_id
        metrics = [Metric("m", math.nan if n == 5 else n / 10, 1, 0)] if n % 4 else []
        metrics += [Metric("with space", float(n % 3), 1, 0)]
        params = [Param("p", "xyz"[n % 3])] + ([Param("q", "1")] if n % 2 else [])
        client.log_batch(run, metrics, params, [RunTag("t", f"v{n % 3}")] if n % 5 else [])
        if n % 2 == 0:
            from mlflow.entities import Dataset, DatasetInput

            client.log_inputs(run, [DatasetInput(Dataset("even", "d", "local", "{}"), [])])
    return experiment


@pytest.mark.parametrize("filter_string", FILTERS)
def test_searches_find_what_the_clients_own_reference_finds(client, filled, filter_string):
    everything = list(client.search_runs([filled], max_results=1000))
    assert len(everything) == 12
    for order in ORDERS:
        found = [run.info.run_id for run in client.search_runs([filled], filter_string, order_by=order)]
        expected = SearchUtils.sort(SearchUtils.filter(everything, filter_string), order)
        if "!=" in filter_string or any("metrics.m" in one for one in order):
            # the reference puts NaN differently from the stock server's own database, which is what scripts meet
            assert set(found) == {run.info.run_id for run in expected}
        else:
            assert found == [run.info.run_id for run in expected]


def test_pages_and_the_data_frame(client, filled):
    found, token = [], None
    while True:
        page = client.search_runs([filled], max_results=5, order_by=["metrics.m DESC"], page_token=token)
        found += [run.info.run_id for run in page]
        token = page.token
        if not token:
            break
    assert len(found) == len(set(found)) == 12
    values = [client.get_run(run).data.metrics.get("m") for run in found]
    numbers = [v for v in values if v is not None and not math.isnan(v)]
    assert numbers == sorted(numbers, reverse=True)
    assert [math.isnan(v) if v is not None else v for v in values[len(numbers) :]] == [True, None, None, None]
    frame = mlflow.search_runs(experiment_names=["many"], filter_string="params.p = 'x'")
    assert len(frame) == 4
    assert set(frame["params.p"]) == {"x"}


def test_two_clients_write_to_one_run_at_once(client):
    run = client.create_run("0").info.run_id

    def write(who):
        mine = MlflowClient()
        for n in range(20):
            mine.log_metric(run, "shared", who + n, step=n, timestamp=1000 * who + n)
            mine.set_tag(run, f"t{who}", str(n))

    threads = [threading.Thread(target=write, args=(who,)) for who in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(client.get_metric_history(run, "shared")) == 40
    assert client.get_run(run).data.metrics == {"shared": 21.0}
    assert client.get_run(run).data.tags.items() >= {"t1": "19", "t2": "19"}.items()


def test_autolog_of_scikit_learn(client):
    from sklearn.linear_model import LogisticRegression

    mlflow.sklearn.autolog(log_models=False, silent=True)
    try:
        with mlflow.start_run() as run:
            LogisticRegression(C=0.5).fit([[0.0], [1.0], [0.2], [0.9]], [0, 1, 0, 1])
    finally:
        mlflow.sklearn.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    assert found.data.params["C"] == "0.5"
    assert found.data.metrics["training_accuracy_score"] == 1.0
    assert found.data.tags["estimator_name"] == "LogisticRegression"
