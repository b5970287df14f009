import json
import threading
from dataclasses import replace

import numpy as np
import pytest
from tests.serve.houses import CANARY, LABELS, PREDICT, error_of

from homeostat.core.columns import Task
from homeostat.core.errors import Unreachable
from homeostat.core.records.routes import Route
from homeostat.testing import serving as fakes

KINDS = (("x", "FP64"), ("city", "BYTES"))


@pytest.mark.parametrize("body", [{"rows": [fakes.ROW]}, [fakes.ROW], fakes.ROW])
def test_rows_get_predictions_with_version_and_request_id(house, body):
    response = house.client.post(PREDICT, body)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {
        "request_id": "id0",
        "model": "late",
        "version": 1,
        "predictions": [{"prediction": "yes", "probabilities": {"no": 0.25, "yes": 0.75}}],
    }
    assert house.predictions()["request_id"].to_list() == ["id0"]


def test_a_regression_has_no_probabilities(serve):
    house = serve({1: fakes.Answers([2.5])}, signature=fakes.REGRESSION)
    assert house.client.post(PREDICT, fakes.ROW).json()["predictions"] == [{"prediction": 2.5}]


def test_classes_that_are_numbers_stay_numbers_and_name_probabilities_as_text(serve):
    class Digits:
        def predict(self, frame):
            return np.array([1] * len(frame))

        def predict_proba(self, frame):
            return np.tile([0.1, 0.2, 0.7], (len(frame), 1))

    signature = replace(fakes.BINARY, task=Task.MULTICLASS, classes=(0, 1, 2))
    house = serve({1: Digits()}, signature=signature)
    (row,) = house.client.post(PREDICT, fakes.ROW).json()["predictions"]
    assert row == {"prediction": 1, "probabilities": {"0": 0.1, "1": 0.2, "2": 0.7}}
    assert house.client.post(LABELS, {"request_id": "id0", "value": 2.0}).status_code == 200
    assert house.client.post(LABELS, {"request_id": "id0", "value": True}).status_code == 422
    assert house.labels("value") == [(2,)]


def test_rows_that_do_not_fit_are_told_by_field_and_leave_no_trace(house):
    error = error_of(house.client.post(PREDICT, {"rows": [fakes.ROW, {"x": "1", "ciy": "Ulm"}]}), 422, "invalid_rows")
    assert [(fault["row"], fault["field"]) for fault in error["fields"]] == [(1, "city"), (1, "ciy"), (1, "x")]
    assert error["hint"]
    assert house.predictions().height == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"x": NaN}',
        b'{"x": 1e999}',
        b"\xff\xfe",
        b'"\xff"',
        b"[" * 5000,
        b'{"x": 1} trailing',
        b"3",
        b'"x"',
    ],
)
def test_what_is_no_json_is_refused(house, content):
    error_of(house.client.post(PREDICT, content=content), 400, "invalid_input")
    error_of(house.client.post(LABELS, content=content), 400, "invalid_input")
    assert house.predictions().height == 0


@pytest.mark.parametrize(
    "body",
    [
        {"rows": {}},
        {"rows": 3, "request_id": "r"},
        {"rows": [fakes.ROW], "colour": 1},
        {"rows": [fakes.ROW], "request_id": 7},
        {"rows": [fakes.ROW], "key": [1]},
        {"rows": [fakes.ROW], "request_id": ""},
        {"rows": [fakes.ROW], "request_id": "a b"},
        {"rows": [fakes.ROW], "request_id": "x" * 129},
    ],
)
def test_an_envelope_that_is_none_is_refused(house, body):
    error_of(house.client.post(PREDICT, body), 400, "invalid_input")
    assert house.predictions().height == 0


def test_a_feature_may_be_called_rows(serve):
    columns = (replace(fakes.BINARY.columns[0], name="rows"), fakes.BINARY.columns[1])
    house = serve({1: fakes.Says(0.75)}, signature=replace(fakes.BINARY, columns=columns))
    assert house.client.post(PREDICT, {"rows": 1.5, "city": None}).status_code == 200


def test_too_many_rows_and_no_rows_are_refused(house):
    error_of(house.client.post(PREDICT, {"rows": [fakes.ROW] * 51}), 422, "invalid_rows")
    error_of(house.client.post(PREDICT, {"rows": []}), 422, "invalid_rows")


@pytest.mark.parametrize("path", [PREDICT, LABELS])
def test_a_body_that_is_too_long_is_refused(house, path):
    error_of(house.client.post(path, content=b" " * 10_001), 413, "too_large")

    def chunks():
        for _ in range(200):
            yield b" " * 100

    error_of(house.client.post(path, content=chunks()), 413, "too_large")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/models/lat"), ("POST", "/models/lat/predict"), ("POST", "/models/lat/labels")]
)
def test_an_unknown_model_is_not_found_and_near_names_are_told(house, method, path):
    error = error_of(house.client.request(method, path, content=json.dumps(fakes.ROW)), 404, "not_found")
    assert error["hint"] == "did you mean 'late'?"


def test_paths_and_methods_that_are_not_there_are_told_as_json(house):
    error_of(house.client.get("/nothing"), 404, "not_found")
    error_of(house.client.get("/models/../../etc/passwd"), 404, "not_found")
    error_of(house.client.get(PREDICT), 405, "invalid_input")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:8700", 200),
        ("LOCALHOST", 200),
        ("[::1]:8700", 200),
        ("ml.example", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("10.0.0.8", 403),
    ],
)
def test_only_the_server_s_own_names_are_answered(serve, host, status):
    house = serve({1: fakes.Says(0.75)}, host="ml.example")
    for response in (
        house.client.get("/health", headers={"host": host}),
        house.client.post(PREDICT, fakes.ROW, headers={"host": host}),
    ):
        assert response.status_code == status
    assert house.client.get("/nowhere", headers={"host": host}).status_code == (404 if status == 200 else 403)
    assert house.predictions().height == (1 if status == 200 else 0)


def test_a_server_open_to_all_addresses_is_asked_by_address_not_by_any_name(serve):
    house = serve({1: fakes.Says(0.75)}, host="0.0.0.0")
    assert house.client.get("/health", headers={"host": "10.0.0.8:8700"}).status_code == 200
    assert house.client.get("/health", headers={"host": "evil.example"}).status_code == 403


def test_a_foreign_page_cannot_post_labels(house):
    body = {"request_id": "r", "value": "yes"}
    error_of(house.client.post(LABELS, body, headers={"origin": "https://evil.example"}), 403, "not_allowed")
    assert house.labels("value") == []
    assert house.client.post(LABELS, body, headers={"origin": "http://localhost:8701"}).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"x-request-id": "mine"}])
def test_a_request_id_of_the_client_s_own_is_kept(house, headers):
    body = {"rows": [fakes.ROW], "request_id": "mine"}
    assert house.client.post(PREDICT, body, headers=headers).json()["request_id"] == "mine"
    assert house.predictions()["request_id"].to_list() == ["mine"]


def test_a_request_id_used_again_is_a_conflict_unless_it_asks_the_same(house):
    own = {"x-request-id": "mine"}
    assert house.client.post(PREDICT, fakes.ROW, headers=own).status_code == 200
    assert house.client.post(PREDICT, fakes.ROW, headers=own).status_code == 200
    error_of(house.client.post(PREDICT, {**fakes.ROW, "x": 2}, headers=own), 409, "conflict")
    assert house.predictions()["features"].to_list() == ['{"x":0.25,"city":"Ulm"}']


def test_two_different_request_ids_at_once_are_refused(house):
    body = {"rows": [fakes.ROW], "request_id": "one"}
    error_of(house.client.post(PREDICT, body, headers={"x-request-id": "other"}), 400, "invalid_input")


def test_rows_that_do_not_fit_are_told_where_the_columns_are(house):
    error = error_of(house.client.post(PREDICT, {"x": 1}), 422, "invalid_rows")
    assert error["hint"].startswith("GET /models/late shows the columns")


def test_a_refused_request_does_not_use_up_its_id(house):
    own = {"x-request-id": "mine"}
    error_of(house.client.post(PREDICT, {"x": 1}, headers=own), 422, "invalid_rows")
    assert house.client.post(PREDICT, fakes.ROW, headers=own).status_code == 200
    error_of(house.client.post(PREDICT, {**fakes.ROW, "x": 7}, headers=own), 409, "conflict")


def test_a_canary_that_fails_is_not_seen_by_the_client(house):
    house.plane.switch(CANARY)
    response = house.client.post(PREDICT, fakes.ROW)
    assert (response.status_code, response.json()["version"]) == (200, 1)


def test_a_champion_that_fails_says_so(serve):
    house = serve({1: fakes.Raises(ValueError("secret 1234"))})
    error = error_of(house.client.post(PREDICT, fakes.ROW), 500, "prediction_failed")
    assert "secret" not in json.dumps(error)
    assert "id0" in error["hint"]


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        (PREDICT, "/models/{model}/predict"),
        ("/models/late/versions/1/predict", "/models/{model}/versions/{version}/predict"),
        ("/v2/models/late/infer", "/v2/models/{model}/infer"),
    ],
)
def test_the_log_tells_which_version_failed_whom(serve, caplog, path, pattern):
    house = serve({1: fakes.Raises(ValueError("secret 1234"))})
    tensors = [{"name": name, "shape": [1], "datatype": kind, "data": [fakes.ROW[name]]} for name, kind in KINDS]
    body = {"inputs": tensors} if path.startswith("/v2") else fakes.ROW
    assert house.client.post(path, body, headers={"x-request-id": "mine"}).status_code == 500
    (one,) = [vars(record) for record in caplog.records if record.message == "serve.request_failed"]
    assert (one["path"], one["model"], one["version"], one["status"]) == (pattern, "late", 1, 500)
    assert (one["error"], one["cause"]) == ("prediction_failed", "ModelError")


def test_an_unexpected_fault_is_ours_and_tells_nothing(serve, caplog):
    def broken():
        raise RuntimeError("inner secret")

    house = serve({1: fakes.Says(0.5)}, extra_health=broken)
    error = error_of(house.client.get("/health"), 500, "internal")
    assert "secret" not in json.dumps(error)
    assert "request_broke" in caplog.text


def test_a_record_that_cannot_be_written_is_no_answer(house, monkeypatch):
    def full(kind, rows):
        raise Unreachable("no space left", hint="free some")

    monkeypatch.setattr(house.records, "write", full)
    monkeypatch.setattr(house.records, "submit", lambda model, lines, done: done(Unreachable("no space left")))
    error_of(house.client.post(PREDICT, fakes.ROW), 503, "unreachable")
    error_of(house.client.post(LABELS, {"request_id": "r", "value": "yes"}), 503, "unreachable")


def test_the_model_tells_its_route_and_what_it_takes(house):
    house.plane.switch(CANARY)
    told = house.client.get("/models/late").json()
    assert told["route"] == {
        "generation": 2,
        "champion": 1,
        "shadow": None,
        "canary": 2,
        "canary_percent": 100.0,
        "since": None,
    }
    assert told["signature"]["columns"][0] == {"name": "x", "kind": "float", "nullable": False}
    assert told["signature"]["classes"] == ["no", "yes"]
    assert list(house.client.get("/models").json()["models"]) == ["late"]


def test_a_model_without_a_champion_is_there_but_cannot_answer(serve):
    house = serve({}, Route(model="late", generation=1, champion=None))
    assert house.client.get("/models/late").json()["signature"] is None
    error_of(house.client.post(PREDICT, fakes.ROW), 409, "conflict")
    assert house.client.get("/health").status_code == 503
    assert house.client.get("/health/live").status_code == 200


def test_health_says_what_is_served_and_what_the_house_adds(serve):
    house = serve({1: fakes.Says(0.5)}, extra_health=lambda: {"worker": "w0"})
    told = house.client.get("/health")
    assert told.status_code == 200
    assert told.json()["ready"] is True
    assert told.json()["worker"] == "w0"
    assert told.json()["models"]["late"]["generation"] == 1
    house = serve({1: fakes.Says(0.5)}, extra_health=lambda: {"ready": False})
    assert house.client.get("/health").status_code == 503


def test_metrics_count_requests_by_path_and_status(house):
    house.client.post(PREDICT, fakes.ROW)
    house.client.post(PREDICT, {})
    house.client.post(LABELS, {"key": "k", "value": "yes"})
    response = house.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert 'homeostat_requests_total{path="/models/{model}/predict",status="200"} 1.0' in response.text
    assert 'homeostat_requests_total{path="/models/{model}/predict",status="422"} 1.0' in response.text
    assert 'homeostat_labels_total{model="late"} 1.0' in response.text
    assert (
        'homeostat_evaluation_seconds_bucket{le="+Inf",model="late",route="champion",version="1"} 1.0' in response.text
    )


def test_a_slow_model_does_not_stop_the_event_loop(serve):
    slow = fakes.Hangs()
    house = serve({1: slow})
    slow.go.clear()

    answers = []
    waiting = threading.Thread(target=lambda: answers.append(house.client.post(PREDICT, fakes.ROW).status_code))
    waiting.start()
    assert house.client.get("/health").status_code == 200
    assert not answers
    slow.go.set()
    waiting.join(20)
    assert answers == [200]


def test_many_at_once_are_all_answered_and_all_recorded(house):
    failures = []

    def ask(thread):
        for number in range(10):
            response = house.client.post(PREDICT, {"rows": [fakes.ROW], "request_id": f"{thread}-{number}"})
            if response.status_code != 200:
                failures.append(response.text)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert set(house.predictions()["request_id"]) == {f"{t}-{n}" for t in range(4) for n in range(10)}


def test_a_wrong_method_is_told_the_right_one(serve):
    house = serve({1: fakes.Says(0.75)})
    answer = house.client.get("/models/late/predict")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error"]["hint"] == "use POST"


def test_an_error_that_cannot_be_told_is_still_an_answer():
    """Nobody waits for ever because our own words are broken."""
    from homeostat.core.errors import InvalidInput
    from homeostat.serve.app import _told

    assert _told(InvalidInput("half a surrogate: \ud800"), None).status == 500
    assert _told(InvalidInput("whole"), None).status == 400
