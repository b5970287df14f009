import json

import pytest


@pytest.fixture
def run_id(client):
    return client.post("runs/create", experiment_id="0")["run"]["info"]["run_id"]


def latest(client, run_id):
    return {m["key"]: m for m in client.get("runs/get", run_id=run_id)["run"]["data"].get("metrics", [])}


def history(client, run_id, key="m", **fields):
    return client.get("metrics/get-history", run_id=run_id, metric_key=key, **fields)


def test_a_metric_reads_back_with_its_time_and_step(client, run_id):
    client.post("runs/log-metric", run_id=run_id, key="m", value=0.5, timestamp=1700000000123, step=7)
    point = {"key": "m", "value": 0.5, "timestamp": 1700000000123, "step": 7}
    assert latest(client, run_id) == {"m": point}
    assert history(client, run_id) == {"metrics": [point]}


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", 1e308, -0.25, 3, "4.5"])
def test_every_number_reads_back_in_single_calls_and_in_batches(client, run_id, value):
    shown = float(value) if isinstance(value, int) or value == "4.5" else value
    client.post("runs/log-metric", run_id=run_id, key="m", value=value, timestamp=1)
    client.post("runs/log-batch", run_id=run_id, metrics=[{"key": "n", "value": value, "timestamp": "1"}])
    found = latest(client, run_id)
    assert (found["m"]["value"], found["n"]["value"]) == (shown, shown)


def test_bare_nan_in_the_json_is_understood(client, run_id):
    body = json.dumps({"run_id": run_id, "key": "m", "value": float("nan"), "timestamp": 1}).encode()
    assert client.send("POST", "/api/2.0/mlflow/runs/log-metric", body=body)[0] == 200
    assert latest(client, run_id)["m"]["value"] == "NaN"


def test_an_identical_row_again_is_taken_silently(client, run_id):
    for _ in range(3):
        client.post("runs/log-metric", run_id=run_id, key="m", value=1.0, timestamp=5, step=1)
        client.post(
            "runs/log-batch", run_id=run_id, metrics=[{"key": "m", "value": 1.0, "timestamp": 5, "step": 1}] * 2
        )
    assert len(history(client, run_id)["metrics"]) == 1


def test_a_batch_holds_metrics_params_and_tags(client, run_id):
    metrics = [{"key": f"k{n % 3}", "value": float(n), "timestamp": n, "step": n} for n in range(1000)]
    client.post("runs/log-batch", run_id=run_id, metrics=metrics)
    client.post("runs/log-batch", run_id=run_id, params=[{"key": "p", "value": "1"}], tags=[{"key": "t", "value": "2"}])
    assert {key: point["value"] for key, point in latest(client, run_id).items()} == {
        "k0": 999.0,
        "k1": 997.0,
        "k2": 998.0,
    }
    assert [p["step"] for p in history(client, run_id, "k1")["metrics"]] == list(range(1, 1000, 3))
    client.post("runs/log-batch", run_id=run_id)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"metrics": [{"key": "m", "value": 1.0, "timestamp": 1}] * 1001}, "at most 1000 metrics. Got 1001"),
        ({"params": [{"key": f"p{n}", "value": ""} for n in range(101)]}, "at most 100 params"),
        ({"tags": [{"key": f"t{n}", "value": ""} for n in range(101)]}, "at most 100 tags"),
        ({"metrics": [{"key": "m", "value": 1.0}]}, "Missing value for required parameter 'metrics[0].timestamp'"),
        ({"metrics": [{"value": 1.0, "timestamp": 1}]}, "Missing value for required parameter 'metrics[0].key'"),
        ({"metrics": [{"key": "m", "timestamp": 1}]}, "Missing value for required parameter 'metrics[0].value'"),
        ({"metrics": [{"key": "m", "value": "high", "timestamp": 1}]}, "parameter 'metrics[0].value'"),
        ({"metrics": [{"key": "m", "value": True, "timestamp": 1}]}, "parameter 'metrics[0].value'"),
        ({"metrics": [{"key": "m", "value": 1.0, "timestamp": -1}]}, "nonnegative"),
        ({"metrics": [{"key": "m", "value": 1.0, "timestamp": 2**63}]}, "parameter 'metrics[0].timestamp'"),
        ({"metrics": [{"key": "m", "value": 1.0, "timestamp": 1, "step": 0.5}]}, "parameter 'metrics[0].step'"),
        ({"metrics": [{"key": "a;b", "value": 1.0, "timestamp": 1}]}, "Names may only contain"),
        ({"metrics": [{"key": "../m", "value": 1.0, "timestamp": 1}]}, "must not resolve to other names"),
        ({"metrics": [{"key": "x" * 251, "value": 1.0, "timestamp": 1}]}, "maximum length of 250"),
        ({"metrics": {"key": "m"}}, "parameter 'metrics' supplied"),
        ({"metrics": ["m"]}, "parameter 'metrics' supplied"),
        ({"params": [{"key": "p", "value": 1}]}, "parameter 'params[0].value'"),
    ],
)
def test_a_wrong_batch_is_refused_and_leaves_nothing(client, run_id, fields, told):
    code, message = client.refused("runs/log-batch", run_id=run_id, **fields)
    assert code == "INVALID_PARAMETER_VALUE"
    assert told in message
    assert latest(client, run_id) == {}


def test_a_batch_of_more_than_a_megabyte_is_refused(client, run_id):
    tags = [{"key": f"t{n}", "value": "x" * 8000} for n in range(100)]
    assert (
        "1000000 bytes"
        in client.refused(
            "runs/log-batch",
            run_id=run_id,
            tags=tags,
            params=[{"key": f"p{n}", "value": "x" * 6000} for n in range(100)],
        )[1]
    )
    client.post("runs/log-batch", run_id=run_id, tags=tags)


def test_a_long_history_comes_in_pages(client, run_id):
    points = [{"key": "m", "value": float(n), "timestamp": n, "step": 0} for n in range(950)]
    client.post("runs/log-batch", run_id=run_id, metrics=points)
    found, token = [], {}
    while token is not None:
        page = history(client, run_id, max_results=400, **token)
        found += page["metrics"]
        token = {"page_token": page["next_page_token"]} if "next_page_token" in page else None
    assert [point["value"] for point in found] == [float(n) for n in range(950)]
    assert len(history(client, run_id)["metrics"]) == 950
    assert history(client, run_id, "none") == {}
    assert (
        "positive integer"
        in client.refused("metrics/get-history", method="GET", run_id=run_id, metric_key="m", max_results=0)[1]
    )


def test_histories_for_charts(client, run_id):
    other = client.post("runs/create", experiment_id="0")["run"]["info"]["run_id"]
    for one in (run_id, other):
        points = [{"key": "m", "value": float(n), "timestamp": n, "step": n} for n in range(100)]
        client.post("runs/log-batch", run_id=one, metrics=points)
    sampled = client.get("metrics/get-history-bulk-interval", run_ids=[run_id, other], metric_key="m", max_results=5)
    assert [(p["run_id"], p["step"]) for p in sampled["metrics"]] == [
        (one, step) for one in (run_id, other) for step in (0, 24, 49, 74, 99)
    ]
    within = client.get("metrics/get-history-bulk-interval", run_ids=run_id, metric_key="m", start_step=10, end_step=12)
    assert [p["step"] for p in within["metrics"]] == [10, 11, 12]
    bulk = client.get("metrics/get-history-bulk", run_id=[run_id, other], metric_key="m", max_results=150)["metrics"]
    assert len(bulk) == 150
    for fields in ({"start_step": 1}, {"start_step": 3, "end_step": 1}, {"max_results": 0}):
        client.refused("metrics/get-history-bulk-interval", method="GET", run_ids=run_id, metric_key="m", **fields)


def test_metrics_of_a_logged_model_reach_the_model_too(client, run_id):
    made = client.post("logged-models", experiment_id="0", name="model", source_run_id=run_id)["model"]["info"][
        "model_id"
    ]
    of_model = {"model_id": made, "dataset_name": "d", "dataset_digest": "1"}
    client.post("runs/log-metric", run_id=run_id, key="m", value=0.5, timestamp=1, **of_model)
    client.post("runs/log-batch", run_id=run_id, metrics=[{"key": "n", "value": 0.7, "timestamp": 1, **of_model}])
    model = client.get(f"logged-models/{made}")["model"]
    assert {(m["key"], m["value"]) for m in model["data"]["metrics"]} == {("m", 0.5), ("n", 0.7)}
    assert set(latest(client, run_id)) == {"m", "n"}


def test_a_metric_of_a_logged_model_that_is_not_there_is_refused_and_nothing_is_logged(client):
    run_id = client.post("runs/create", experiment_id="0")["run"]["info"]["run_id"]
    one = {"key": "m", "value": 1, "timestamp": 1}
    code, _ = client.refused("runs/log-metric", expect=404, run_id=run_id, model_id="m-none", **one)
    assert code == "RESOURCE_DOES_NOT_EXIST"
    client.refused("runs/log-batch", expect=404, run_id=run_id, metrics=[{**one, "model_id": "m-none"}])
    assert "metrics" not in client.get("metrics/get-history", run_id=run_id, metric_key="m")
