import json

import pytest


@pytest.fixture
def experiment(client):
    return client.post("experiments/create", name="e")["experiment_id"]


def create(client, experiment, name="m", **fields):
    return client.post("logged-models", experiment_id=experiment, name=name, **fields)["model"]


def test_a_logged_model_is_pending_until_it_is_finalized(client, experiment):
    pairs = [{"key": "k", "value": "v"}]
    made = create(client, experiment, model_type="tree", params=pairs, tags=pairs)
    info, model_id = made["info"], made["info"]["model_id"]
    assert (len(model_id), model_id[:2]) == (34, "m-")
    assert info["artifact_uri"] == f"mlflow-artifacts:/{experiment}/models/{model_id}/artifacts"
    assert (info["status"], info["model_type"], info["tags"]) == ("LOGGED_MODEL_PENDING", "tree", pairs)
    assert made["data"]["params"] == pairs
    path = f"logged-models/{model_id}"
    done = client.ask("PATCH", path, model_id=model_id, status="LOGGED_MODEL_READY")["model"]
    assert done["info"]["status"] == "LOGGED_MODEL_READY"
    failed = client.ask("PATCH", path, model_id=model_id, status=3)["model"]
    assert failed["info"]["status"] == "LOGGED_MODEL_UPLOAD_FAILED"
    for status in ("Ready", 0, 9, None, True, []):
        assert client.refused(path, method="PATCH", status=status)[0] == "INVALID_PARAMETER_VALUE"


def test_a_deleted_one_is_found_only_where_that_is_asked_for(client, experiment):
    model_id = create(client, experiment)["info"]["model_id"]
    assert client.ask("DELETE", f"logged-models/{model_id}") == {}
    code, message = client.refused(f"logged-models/{model_id}", method="GET", expect=404)
    assert (code, message) == ("RESOURCE_DOES_NOT_EXIST", f"Logged model with ID '{model_id}' not found.")
    assert client.get(f"logged-models/{model_id}", allow_deleted="true")["model"]["info"]["model_id"] == model_id
    assert client.post("logged-models/search", experiment_ids=[experiment])["models"] == []


def test_tags_and_params(client, experiment):
    model_id = create(client, experiment)["info"]["model_id"]
    path = f"logged-models/{model_id}"
    tagged = client.ask("PATCH", f"{path}/tags", tags=[{"key": "a", "value": "1"}, {"key": "b/c", "value": "2"}])[
        "model"
    ]
    assert tagged["info"]["tags"] == [{"key": "a", "value": "1"}, {"key": "b/c", "value": "2"}]
    assert client.ask("DELETE", f"{path}/tags/a") == {}
    assert client.refused(f"{path}/tags/a", method="DELETE", expect=404)[0] == "RESOURCE_DOES_NOT_EXIST"
    assert client.post(f"{path}/params", params=[{"key": "p", "value": "1"}]) == {}
    assert client.refused(f"{path}/params", params=[{"key": "p", "value": "2"}])[0] == "INVALID_PARAMETER_VALUE"
    assert client.refused(f"{path}/params", params=[{"key": "q", "value": "x" * 6001}])[0] == "INVALID_PARAMETER_VALUE"
    assert client.get(path)["model"]["data"]["params"] == [{"key": "p", "value": "1"}]


@pytest.mark.parametrize("name", ["a/b", "a:b", "a.b", "a%b", "a'b", 'a"b', "x" * 501])
def test_what_cannot_be_a_name_is_refused(client, experiment, name):
    assert client.refused("logged-models", experiment_id=experiment, name=name)[0] == "INVALID_PARAMETER_VALUE"


def test_one_without_a_name_gets_one(client, experiment):
    assert client.post("logged-models", experiment_id=experiment)["model"]["info"]["name"]


def test_one_of_an_experiment_that_is_not_there_is_refused(client, experiment):
    assert client.refused("logged-models", expect=404, experiment_id="999", name="m")[0] == "RESOURCE_DOES_NOT_EXIST"
    client.post("experiments/delete", experiment_id=experiment)
    assert client.refused("logged-models", experiment_id=experiment, name="m")[0] == "INVALID_PARAMETER_VALUE"


def found(answer):
    return [each["info"]["name"] for each in answer["models"]]


def test_logged_models_are_found_by_their_metrics(client, experiment):
    run = client.post("runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    for name, value in (("a", 0.5), ("b", 0.9), ("c", None)):
        model_id = create(client, experiment, name)["info"]["model_id"]
        if value is not None:
            client.post("runs/log-metric", run_id=run, key="auc", value=value, timestamp=1, step=0, model_id=model_id)
    place, search = "logged-models/search", {"experiment_ids": [experiment]}
    assert found(client.post(place, **search, filter="metrics.auc > 0.6")) == ["b"]
    assert found(client.post(place, **search, filter="name = 'a' AND status = 'PENDING'")) == ["a"]
    best = [{"field_name": "metrics.auc", "ascending": False}]
    assert found(client.post(place, **search, order_by=best)) == ["b", "a", "c"]
    newest = client.post(place, **search, order_by=[{"field_name": "name"}], max_results=2)
    assert found(newest) == ["a", "b"]
    assert found(
        client.post(
            place, **search, order_by=[{"field_name": "name"}], max_results=2, page_token=newest["next_page_token"]
        )
    ) == ["c"]
    metric = client.post(place, **search, filter="metrics.auc > 0.6")["models"][0]["data"]["metrics"][0]
    assert (metric["key"], metric["value"], metric["run_id"]) == ("auc", 0.9, run)
    for fields in (
        {"filter": "metrics.auc LIKE 'x'"},
        {"filter": "owner = 'x'"},
        {"order_by": [{"field_name": "params.x"}]},
        {"order_by": [{}]},
        {"datasets": [{}]},
        {"max_results": 1001},
    ):
        assert client.refused(place, **search, **fields)[0] == "INVALID_PARAMETER_VALUE", fields
    assert client.refused("logged-models/search", filter="")[0] == "INVALID_PARAMETER_VALUE"


def test_old_clients_note_their_models_on_the_run(client, experiment):
    run = client.post("runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    described = {"artifact_path": "model", "flavors": {}, "utc_time_created": "2026", "run_id": run}
    for _ in range(2):
        assert client.post("runs/log-model", run_id=run, model_json=json.dumps(described)) == {}
    tags = {tag["key"]: tag["value"] for tag in client.get("runs/get", run_id=run)["run"]["data"]["tags"]}
    assert json.loads(tags["mlflow.log-model.history"]) == [described, described]
    for text in ("{", "[]", "{}"):
        assert client.refused("runs/log-model", run_id=run, model_json=text)[0] == "INVALID_PARAMETER_VALUE"


def test_a_tag_that_lists_no_models_is_told_of(client):
    run = client.post("runs/create", experiment_id="0")["run"]["info"]["run_id"]
    text = json.dumps({"artifact_path": "m", "flavors": {}, "utc_time_created": "x", "run_id": run})
    for tag in ("[", "1", '"a"', "[" * 5000):
        client.post("runs/set-tag", run_id=run, key="mlflow.log-model.history", value=tag)
        assert client.refused("runs/log-model", run_id=run, model_json=text)[0] == "INVALID_PARAMETER_VALUE"
    client.post("runs/delete-tag", run_id=run, key="mlflow.log-model.history")
    assert client.post("runs/log-model", run_id=run, model_json=text) == {}
    for part in (run[:31], "x" * 60_000):
        code, _ = client.refused("runs/log-model", expect=404, run_id=part, model_json=text)
        assert code == "RESOURCE_DOES_NOT_EXIST"


def test_a_run_that_cannot_be_one_is_refused(client):
    for run in ("x" * 3000, "a b", "../x"):
        assert client.refused("logged-models", experiment_id="0", name="m", source_run_id=run)[0]
