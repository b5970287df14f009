"""The Open Inference Protocol over REST, by hand and by fuzzing; tests/compat has the real clients."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serve.protocols.serving_both import NUMBERS, Both

X = {"name": "x", "shape": [2], "datatype": "FP64", "data": [0.25, 0.9]}
CITY = {"name": "city", "shape": [2, 1], "datatype": "BYTES", "data": ["Ulm", None]}


def test_the_server_and_its_models_describe_themselves(both):
    assert both.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert both.get("/v2/health/live").status_code == both.get("/v2/health/ready").status_code == 200
    told = both.get("/v2/models/late").json()
    assert (told["name"], told["versions"]) == ("late", ["3"])
    assert told["inputs"] == [
        {"name": "x", "datatype": "FP64", "shape": [-1]},
        {"name": "city", "datatype": "BYTES", "shape": [-1]},
    ]
    assert told["outputs"][1] == {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]}
    assert both.get("/v2/models/late/versions/3/ready").json() == {"name": "late", "ready": True}


def test_a_tensor_for_each_column_is_answered_with_labels_and_probabilities(both):
    answer = both.post("/v2/models/late/infer", {"id": "mine", "inputs": [CITY, X]}).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("late", "3", "mine")
    assert answer["outputs"] == [
        {"name": "predict", "datatype": "BYTES", "shape": [2], "data": ["yes", "yes"]},
        {"name": "probabilities", "datatype": "FP64", "shape": [2, 2], "data": [0.0, 1.0, 1 - 0.9, 0.9]},
    ]
    assert both.recorded() == 2


def test_one_matrix_of_all_columns_will_do_where_they_are_numbers(both):
    one = {"name": "input-0", "shape": [2, 3], "datatype": "FP32", "data": [[1, 2, 3], [4, 5, None]]}
    answer = both.post("/v2/models/sum/versions/3/infer", {"inputs": [one], "outputs": [{"name": "predict"}]})
    assert answer.json()["outputs"] == [{"name": "predict", "datatype": "FP64", "shape": [2], "data": [6.0, 9.0]}]


def test_bytes_in_and_out(both):
    raw_x, raw_city = struct.pack("<2f", 0.25, 1.0), b"\x03\x00\x00\x00Ulm\x04\x00\x00\x00Bonn"
    head = {
        "inputs": [
            {"name": "x", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": len(raw_x)}},
            {"name": "city", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw_city)}},
        ],
        "outputs": [{"name": "predict", "parameters": {"binary_data": True}}, {"name": "probabilities"}],
    }
    told = json.dumps(head).encode()
    answer = both.post("/v2/models/late/infer", told + raw_x + raw_city, Inference_Header_Content_Length=str(len(told)))
    assert answer.status_code == 200, answer.text
    size = int(answer.headers["inference-header-content-length"])
    outputs = json.loads(answer.content[:size])["outputs"]
    assert outputs[0]["parameters"] == {"binary_data_size": 14}
    assert answer.content[size:] == b"\x03\x00\x00\x00yes\x03\x00\x00\x00yes"
    assert outputs[1]["data"] == [0.0, 1.0, 0.0, 1.0]


BAD = [
    ({"inputs": []}, "no inputs"),
    ({"inputs": [X]}, "'city' is missing"),
    ({"inputs": [X, X, CITY]}, "'x' is there twice"),
    ({"inputs": [{**X, "name": "z"}, CITY]}, "'x' is missing"),
    ({"inputs": [{**X, "datatype": "FP65"}, CITY]}, "datatype 'FP65'"),
    ({"inputs": [{**X, "datatype": "INT64"}, CITY]}, "'x' is INT64"),
    ({"inputs": [{**X, "shape": [3]}, CITY]}, "2 values, its shape"),
    ({"inputs": [{**X, "shape": [-2]}, CITY]}, "the shape"),
    ({"inputs": [{**X, "shape": [1, 1, 2]}, CITY]}, "the shape"),
    ({"inputs": [{**X, "data": [1.0, "2"]}, CITY]}, "'x' is FP64, and holds '2'"),
    ({"inputs": [{**X, "data": [1.0, None]}, CITY]}, "expected a finite number"),
    ({"inputs": [{**X, "data": "AAAA"}, CITY]}, "'x' has no data"),
    ({"inputs": [{**X, "shape": [1], "data": [1.0]}, CITY]}, "2 values, 'x' has 1"),
    ({"inputs": [X, {**CITY, "data": [1, 2]}]}, "'city' is BYTES"),
    ({"inputs": [{**X, "parameters": {"binary_data_size": 16}}, CITY]}, "binary_data_size is 16"),
    ({"inputs": [X, CITY], "outputs": [{"name": "label"}]}, "no output 'label'"),
    ({"inputs": [X, CITY], "id": "no id"}, "the request id is not one"),
    ({"input": [X]}, "no inference request"),
    (b"\xff\xfe", "no inference request"),
    (b"[" * 100_000, "no inference request"),
]


@pytest.mark.parametrize(("body", "words"), BAD)
def test_what_is_wrong_is_named_and_nothing_is_answered(both, body, words):
    answer = both.post("/v2/models/late/infer", body)
    assert 400 <= answer.status_code < 500, answer.text
    assert words in answer.json()["error"]
    assert both.recorded() == 0


@pytest.mark.parametrize("path", ["/v2/models/lat", "/v2/models/late/versions/9", "/v2/models/late/versions/x/ready"])
def test_unknown_models_and_versions_are_not_found(both, path):
    assert both.get(path).status_code == 404
    assert isinstance(both.get(path).json()["error"], str)


@pytest.mark.parametrize("length", ["-1", "99999", "x", "3"])
def test_a_header_length_that_lies_is_refused(both, length):
    body = json.dumps({"inputs": [X, CITY]}).encode()
    assert both.post("/v2/models/late/infer", body, Inference_Header_Content_Length=length).status_code == 400


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    server = Both(tmp_path_factory.mktemp("fuzz"))
    yield server
    server.close()


@given(
    st.tuples(
        st.integers(-5, 40) | st.integers(-(2**40), 2**40),
        st.binary(max_size=40),
        st.sampled_from(["FP32", "FP64", "INT8", "BOOL", "BYTES", "FP16", "UINT64"]),
        st.integers(-1, 4),
        st.integers(-3, 3),
    )
)
def test_binary_tensors_of_any_bytes_are_answered_or_refused_and_never_break_it(one, case):
    size, raw, datatype, rows, cut = case
    tensors = [
        {"name": c.name, "shape": [rows], "datatype": datatype, "parameters": {"binary_data_size": size}}
        for c in NUMBERS.columns
    ]
    head = json.dumps({"inputs": tensors}).encode()
    answer = one.post(
        "/v2/models/sum/infer", head + raw * 3, Inference_Header_Content_Length=str(max(0, len(head) + cut))
    )
    assert answer.status_code in (200, 400, 422), answer.text
    if answer.status_code == 200:
        dtype = {"FP32": "<f4", "FP64": "<f8", "INT8": "i1", "BOOL": "?", "FP16": "<f2", "UINT64": "<u8"}[datatype]
        behind = (head + raw * 3)[len(head) + cut :]  # white space may pass for the head's end
        columns = [np.frombuffer(behind[at * size : (at + 1) * size], dtype).astype(float) for at in range(3)]
        assert answer.json()["outputs"][0]["data"] == pytest.approx(np.nan_to_num(columns).sum(axis=0).tolist())
