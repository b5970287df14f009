import json

import pytest


@pytest.mark.parametrize(
    ("method", "path", "names"),
    [
        ("POST", "/api/3.0/mlflow/gateway/endpoints/create", "gateway"),
        ("GET", "/ajax-api/3.0/mlflow/gateway/secrets/list", "gateway"),
        ("GET", "/api/3.0/mlflow/scorers/list", "scorers"),
        ("POST", "/api/3.0/mlflow/review-queues/items/add", "Review queues"),
        ("PATCH", "/api/3.0/mlflow/label-schemas/update", "Label schemas"),
        ("DELETE", "/api/3.0/mlflow/prompt-optimization/jobs/x", "Prompt optimisation"),
        ("GET", "/api/3.0/mlflow/workspaces", "Workspaces"),
        ("POST", "/api/3.0/mlflow/datasets/create", "Evaluation datasets"),
    ],
)
def test_what_is_not_offered_is_said_to_be_so(client, method, path, names):
    status, _, body = client.send(method, path, body=b"" if method == "GET" else b"{}")
    answer = json.loads(body)
    assert (status, answer["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    assert names in answer["message"]
    assert "not offered" in answer["message"]


def test_what_nobody_has_is_not_said_to_be_elsewhere(client):
    status, _, body = client.send("GET", "/api/3.0/mlflow/nothing/at/all")
    assert status == 404
    assert "not offered" not in json.loads(body)["message"]
