"""What MLflow's documentation sends with curl, and what is wrong with other things."""

import math

import pytest

COLUMNS = ["x", "city"]
ROWS = [[0.25, "Ulm"], [0.125, None]]
SAID = {"predictions": ["yes", "no"]}


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": COLUMNS, "data": ROWS}},
        {"dataframe_split": {"index": [0, 1], "columns": COLUMNS[::-1], "data": [row[::-1] for row in ROWS]}},
        {"dataframe_records": [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]},
        {"instances": [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]},
        {"instances": ROWS},
        {"inputs": {"x": [0.25, 0.125], "city": ["Ulm", None]}},
        {"inputs": {"x": [[0.25], [0.125]], "city": [["Ulm"], [None]]}, "params": {}},
        {"inputs": ROWS, "signature_name": "serving_default"},
    ],
)
@pytest.mark.parametrize("path", ["/invocations", "/models/late/invocations"])
def test_every_form_of_the_same_rows_has_the_same_answer(both, path, body):
    answer = both.post(path, body)
    assert (answer.status_code, answer.json()) == (200, SAID)
    assert both.recorded() == 2


def test_csv(both):
    answer = both.post("/invocations", b"city,x\nUlm,0.25\n,1.25e-1\n", content_type="text/csv; charset=utf-8")
    assert (answer.status_code, answer.json()) == (200, SAID)


def test_one_value_for_each_of_one_length(both):
    assert both.post("/models/sum/invocations", {"inputs": {"a": 1, "b": 2.5, "c": None}}).json() == {
        "predictions": [3.5]
    }


BAD = [
    ({}, "0 of the input forms"),
    ({"inputs": [], "instances": []}, "2 of the input forms"),
    ({"rows": []}, "unknown field 'rows'"),
    ({"inputs": ROWS, "params": {"temperature": 1}}, "takes no param 'temperature'"),
    ({"inputs": ROWS, "params": [1]}, "params is a list, not an object"),
    ({"dataframe_split": {"columns": COLUMNS, "data": [[1.0]]}}, "row 0 is 1 values"),
    ({"dataframe_split": {"columns": ["x", "x"], "data": ROWS}}, "different names"),
    ({"dataframe_split": ROWS}, "dataframe_split is not"),
    ({"dataframe_records": {"x": 1}}, "is not a list"),
    ({"inputs": {"x": [1.0], "city": ["a", "b"]}}, "not of one length"),
    ({"inputs": 3}, "neither a list nor"),
    ({"instances": [{"x": "a", "city": "Ulm"}]}, "field 'x': expected a finite number"),
    ({"instances": [{"x": 1.0}]}, "the field is missing"),
    ({"instances": []}, "no rows"),
    (b"nonsense", "not JSON"),
    (b"[1]", "not an object"),
]


@pytest.mark.parametrize(("body", "words"), BAD)
def test_what_is_wrong_is_named_as_mlflows_clients_read_it(both, body, words):
    answer = both.post("/invocations", body)
    assert answer.status_code in (400, 422)
    assert words in answer.json()["message"]
    assert answer.json()["error_code"] == "BAD_REQUEST"
    assert both.recorded() == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"x,city\n", b"x,x\n1,2\n", b"x,city\n1\n", b"\xff\xfe,\n1,2\n", b'x,city\n"1,2\n', b"x,city\nabc,Ulm\n"],
)
def test_csv_that_is_none_is_refused(both, body):
    assert both.post("/invocations", body, content_type="text/csv").status_code in (400, 422)
    assert both.post("/invocations", body, content_type="text/plain").status_code == 400


def test_it_lives_and_says_its_version(both):
    assert both.get("/ping").status_code == 200
    assert both.get("/version").text.count(".") >= 1
    assert both.post("/models/nobody/invocations", {"inputs": ROWS}).json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert math.isfinite(both.post("/models/sum/invocations", {"inputs": [[1, 2, 3]]}).json()["predictions"][0])
