import json

import pytest

RUN = {"experiment_id": "0", "start_time": 1700000000123, "run_name": "first", "user_id": "ada"}


@pytest.fixture
def run_id(client):
    return client.post("runs/create", **RUN)["run"]["info"]["run_id"]


def test_a_run_reads_back_as_it_was_opened(client):
    made = client.post("runs/create", **RUN, tags=[{"key": "team", "value": "a"}])["run"]
    info = made["info"]
    assert len(info["run_id"]) == 32
    assert info == {
        "run_id": info["run_id"],
        "run_uuid": info["run_id"],
        "run_name": "first",
        "experiment_id": "0",
        "user_id": "ada",
        "status": "RUNNING",
        "start_time": 1700000000123,
        "artifact_uri": f"mlflow-artifacts:/0/{info['run_id']}/artifacts",
        "lifecycle_stage": "active",
    }
    got = client.get("runs/get", run_id=info["run_id"])["run"]
    assert got["info"] == info
    assert {(tag["key"], tag["value"]) for tag in got["data"]["tags"]} == {("team", "a"), ("mlflow.runName", "first")}


def test_a_run_without_a_name_gets_one_and_the_tag_may_name_it(client):
    assert client.post("runs/create", experiment_id="0")["run"]["info"]["run_name"].count("-") == 2
    tagged = client.post("runs/create", experiment_id="0", tags=[{"key": "mlflow.runName", "value": "t"}])
    assert tagged["run"]["info"]["run_name"] == "t"
    both = {**RUN, "tags": [{"key": "mlflow.runName", "value": "other"}]}
    assert "different values" in client.refused("runs/create", **both)[1]


def test_ending_a_run_is_told_and_audited_once(client, run_id):
    for _ in range(2):
        info = client.post("runs/update", run_id=run_id, status="FINISHED", end_time=1700000001000)["run_info"]
    assert (info["status"], info["end_time"]) == ("FINISHED", 1700000001000)
    with client.desk.store.read() as tx:
        assert [event.kind for event in tx.audit.events(subject=f"run:{run_id}")] == ["run.started", "run.finished"]


def test_renaming_moves_the_tag_too_and_the_other_way_round(client, run_id):
    client.post("runs/update", run_id=run_id, run_name="second")
    got = client.get("runs/get", run_id=run_id)["run"]
    assert got["info"]["run_name"] == "second"
    assert {"key": "mlflow.runName", "value": "second"} in got["data"]["tags"]
    client.post("runs/set-tag", run_id=run_id, key="mlflow.runName", value="third")
    assert client.get("runs/get", run_id=run_id)["run"]["info"]["run_name"] == "third"


def test_params_are_immutable_but_may_be_said_again(client, run_id):
    client.post("runs/log-parameter", run_id=run_id, key="depth", value="3")
    client.post("runs/log-parameter", run_id=run_id, key="depth", value="3")
    code, message = client.refused("runs/log-parameter", run_id=run_id, key="depth", value="4")
    assert code == "INVALID_PARAMETER_VALUE"
    assert "Changing param values is not allowed" in message
    assert client.get("runs/get", run_id=run_id)["run"]["data"]["params"] == [{"key": "depth", "value": "3"}]


def test_a_batch_that_is_refused_leaves_nothing(client, run_id):
    client.post("runs/log-parameter", run_id=run_id, key="depth", value="3")
    metrics = [{"key": "loss", "value": 1.0, "timestamp": 5, "step": 0}]
    for params, tags in (
        ([{"key": "depth", "value": "4"}], []),
        ([{"key": "a", "value": "x" * 6001}], []),
        ([{"key": "a", "value": "1"}] * 2, []),
        ([], [{"key": "../a", "value": ""}]),
        ([], [{"value": ""}]),
    ):
        client.refused("runs/log-batch", run_id=run_id, metrics=metrics, params=params, tags=tags)
    data = client.get("runs/get", run_id=run_id)["run"]["data"]
    assert "metrics" not in data
    assert data["params"] == [{"key": "depth", "value": "3"}]


def test_tags_are_set_and_taken_away(client, run_id):
    client.post("runs/set-tag", run_id=run_id, key="a", value="1")
    client.post("runs/set-tag", run_id=run_id, key="a", value="2")
    assert {"key": "a", "value": "2"} in client.get("runs/get", run_id=run_id)["run"]["data"]["tags"]
    client.post("runs/delete-tag", run_id=run_id, key="a")
    assert client.refused("runs/delete-tag", run_id=run_id, key="a", expect=404)[0] == "RESOURCE_DOES_NOT_EXIST"


def test_a_deleted_run_takes_nothing_until_it_is_restored(client, run_id):
    client.post("runs/delete", run_id=run_id)
    client.post("runs/delete", run_id=run_id)
    assert client.get("runs/get", run_id=run_id)["run"]["info"]["lifecycle_stage"] == "deleted"
    assert "must be in the 'active' state" in client.refused("runs/set-tag", run_id=run_id, key="a", value="")[1]
    assert client.post("runs/search", experiment_ids=["0"]) == {}
    assert len(client.post("runs/search", experiment_ids=["0"], run_view_type="DELETED_ONLY")["runs"]) == 1
    client.post("runs/restore", run_id=run_id)
    assert len(client.post("runs/search", experiment_ids=["0"])["runs"]) == 1


@pytest.mark.parametrize(
    ("path", "fields", "told"),
    [
        ("runs/update", {}, "Missing value for required parameter 'run_id'."),
        ("runs/update", {"run_id": 3}, "Invalid value 3 for parameter 'run_id' supplied"),
        ("runs/update", {"run_id": "R", "status": "DONE"}, "Invalid value \"DONE\" for parameter 'status' supplied"),
        (
            "runs/update",
            {"run_id": "R", "end_time": "soon"},
            "Invalid value \"soon\" for parameter 'end_time' supplied",
        ),
        ("runs/update", {"run_id": "R", "end_time": 2**62}, "parameter 'end_time'"),
        ("runs/create", {"experiment_id": "x"}, "Invalid experiment ID 'x'"),
        ("runs/create", {"experiment_id": "0", "tags": {"a": 1}}, "parameter 'tags' supplied"),
        ("runs/create", {"experiment_id": "0", "tags": [{"key": "a", "value": 1}]}, "parameter 'tags[0].value'"),
        ("runs/set-tag", {"run_id": "R", "key": "a\0"}, "cannot be stored"),
        ("runs/set-tag", {"run_id": "R", "key": "a", "value": "\ud800"}, "cannot be stored"),
        ("runs/set-tag", {"run_id": "R", "key": "a", "value": "x" * 8001}, "exceeds the maximum length of 8000"),
        ("runs/search", {"experiment_ids": "0"}, "parameter 'experiment_ids' supplied"),
        ("runs/search", {"experiment_ids": ["0"], "max_results": 50001}, "at most 50000"),
        ("runs/search", {"experiment_ids": ["0"], "max_results": 0}, "at least 1"),
        ("runs/search", {"experiment_ids": ["0"], "page_token": "!!"}, "Invalid page token"),
        ("runs/search", {"experiment_ids": ["0"], "filter": "a b c"}, "Invalid"),
    ],
)
def test_wrong_calls_are_told_in_the_words_that_clients_know(client, run_id, path, fields, told):
    given = {name: run_id if value == "R" else value for name, value in fields.items()}
    code, message = client.refused(path, **given)
    assert code == "INVALID_PARAMETER_VALUE"
    assert told in message


def test_a_run_that_is_not_there(client):
    for path in ("runs/update", "runs/delete", "runs/restore"):
        assert client.refused(path, run_id="a" * 32, expect=404) == (
            "RESOURCE_DOES_NOT_EXIST",
            f"Run with id={'a' * 32} not found",
        )
    assert client.refused("runs/create", experiment_id="77", expect=404)[0] == "RESOURCE_DOES_NOT_EXIST"


def test_data_sets_and_models_that_went_in_and_came_out(client, run_id):
    dataset = {"name": "d", "digest": "1", "source_type": "local", "source": "{}", "profile": "{}"}
    tagged = {"dataset": dataset, "tags": [{"key": "mlflow.data.context", "value": "train"}]}
    for _ in range(2):
        client.post("runs/log-inputs", run_id=run_id, datasets=[tagged], models=[{"model_id": "m-1"}])
    client.post("runs/outputs", run_id=run_id, models=[{"model_id": "m-2", "step": 4}])
    run = client.get("runs/get", run_id=run_id)["run"]
    assert run["inputs"] == {"dataset_inputs": [tagged], "model_inputs": [{"model_id": "m-1"}]}
    assert run["outputs"] == {"model_outputs": [{"model_id": "m-2", "step": 4}]}
    found = client.post("experiments/search-datasets", experiment_ids=["0"])
    assert found["dataset_summaries"] == [{"experiment_id": "0", "name": "d", "digest": "1", "context": "train"}]
    assert "digest" in client.refused("runs/log-inputs", run_id=run_id, datasets=[{"dataset": {"name": "d"}}])[1]


def test_runs_of_the_loop_look_as_any_other(client):
    from tests.web.mlflow_api.desk import NOW

    from homeostat.track.runs import finish_run, start_run

    with client.desk.store.write() as tx:
        start_run(
            tx, run_id="b" * 32, experiment="churn", name="churn-1", user="loop", now=NOW, facts={}, params={"d": "1"}
        )
        finish_run(tx, "b" * 32, now=NOW, metrics={"auc": 0.9})
    experiment = client.get("experiments/get-by-name", experiment_name="churn")["experiment"]["experiment_id"]
    run = client.post("runs/search", experiment_ids=[experiment], filter="metrics.auc > 0.5")["runs"][0]
    assert run["info"]["artifact_uri"] == f"mlflow-artifacts:/runs/{'b' * 32}"
    assert run["data"]["metrics"] == [{"key": "auc", "value": 0.9, "timestamp": run["info"]["end_time"], "step": 0}]
    assert run["data"]["tags"] == [{"key": "mlflow.runName", "value": "churn-1"}]


def test_a_body_that_is_encoded_twice_and_wrong_is_refused(client):
    status, _, body = client.send("POST", "/api/2.0/mlflow/runs/create", body=b'"\\ud800"')
    assert (status, json.loads(body)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
