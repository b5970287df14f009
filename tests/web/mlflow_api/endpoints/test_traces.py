import gzip
import json
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TRACE = "tr-" + "a" * 32
INFO = {
    "trace_id": TRACE,
    "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}},
    "request_time": "2026-01-02T03:04:05.678Z",
    "execution_duration": "1.5s",
    "state": "OK",
    "trace_metadata": {"m": "1"},
    "tags": {"mlflow.traceName": "n"},
}
SPAN = {
    "traceId": "a" * 32,
    "spanId": "b" * 16,
    "name": "step",
    "startTimeUnixNano": "1700000000000000000",
    "endTimeUnixNano": "1700000001000000000",
    "status": {"code": 1},
    "attributes": [{"key": "k", "value": {"stringValue": "v"}}],
}
OTLP = {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}
FOR = {"x-mlflow-experiment-id": "0", "content-type": "application/json"}


def start(client, **changes):
    return client.post("traces", trace={"trace_info": {**INFO, **changes}})["trace"]["trace_info"]


def export(client, body=None, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(OTLP if body is None else body).encode()
    return client.send("POST", "/v1/traces", body=raw, headers={**FOR, **headers})


def test_a_trace_reads_back_as_it_was_sent(client):
    sent = start(client)
    assert sent == client.get(f"traces/{TRACE}")["trace"]["trace_info"]
    place = f"mlflow-artifacts:/0/traces/{TRACE}/artifacts"
    wanted = {**INFO, "execution_duration": "1.500s", "tags": {**INFO["tags"], "mlflow.artifactLocation": place}}
    assert sent == wanted


def test_spans_before_the_end_and_after_it_make_one_trace(client):
    assert export(client)[0] == 200
    begun = client.get(f"traces/{TRACE}")["trace"]["trace_info"]
    assert (begun["state"], begun["execution_duration"], begun["tags"]["mlflow.traceName"]) == ("OK", "1.000s", "step")
    start(client, request_preview="q")
    assert export(client)[0] == 200
    ended = client.get(f"traces/{TRACE}")["trace"]["trace_info"]
    assert (ended["request_time"], ended["execution_duration"]) == (INFO["request_time"], "1.500s")
    assert ended["tags"]["mlflow.trace.spansLocation"] == "TRACKING_STORE"
    whole = client.get("traces/get", trace_id=TRACE)["trace"]
    assert [span["name"] for span in whole["spans"]] == ["step"]
    assert whole["spans"][0]["attributes"] == [{"key": "k", "value": {"string_value": "v"}}]


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", lambda raw: zlib.compress(raw)[2:-4])],
)
def test_a_packed_body_is_unpacked(client, encoding, pack):
    assert export(client, pack(json.dumps(OTLP).encode()), **{"content-encoding": encoding})[0] == 200
    assert client.get(f"traces/{TRACE}")["trace"]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {"content-type": "text/plain"}),
        (b"{", {}),
        (b"[]", {}),
        (b"\xff\xff\xff", {"content-type": "application/x-protobuf"}),
        (b"x", {"content-encoding": "gzip"}),
        (b"x", {"content-encoding": "br"}),
        (gzip.compress(b"0" * 200_000_000, 1, mtime=0), {"content-encoding": "gzip"}),
        ({"resourceSpans": [{"scopeSpans": [{"spans": [{**SPAN, "traceId": "ab"}]}]}]}, {}),
        ({"resourceSpans": [{"scopeSpans": [{"spans": [{**SPAN, "spanId": ""}]}]}]}, {}),
        ({"resourceSpans": [{"scopeSpans": [{"spans": [{**SPAN, "startTimeUnixNano": 2**64 - 1}]}]}]}, {}),
        ({"resourceSpans": 5}, {}),
        (None, {"x-mlflow-experiment-id": ""}),
        (None, {"x-mlflow-experiment-id": "no number"}),
        (None, {"x-mlflow-experiment-id": "4711"}),
    ],
)
def test_an_export_that_is_wrong_is_refused_whole(client, body, headers):
    status, _, answer = export(client, body, **headers)
    assert 400 <= status < 500
    assert json.loads(answer)["message"]
    assert client.post("traces/search", experiment_ids=["0"]) == {"traces": []}


def test_one_bad_span_stores_none(client):
    bad = {**SPAN, "spanId": "zz"}
    status, _, _ = export(client, {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN, bad]}]}]})
    assert status == 400
    assert client.refused(f"traces/{TRACE}", method="GET", expect=404)[0] == "RESOURCE_DOES_NOT_EXIST"


def test_a_run_that_is_not_there_takes_its_spans_with_it(client):
    assert export(client, **{"x-mlflow-run-id": "f" * 32})[0] == 404
    assert client.post("traces/search", experiment_ids=["0"]) == {"traces": []}


@pytest.mark.parametrize(
    "changes",
    [
        {"trace_id": None},
        {"trace_id": ""},
        {"trace_id": "../../etc"},
        {"trace_id": "a/b"},
        {"trace_id": "x" * 65},
        {"trace_location": None},
        {"trace_location": {"type": "INFERENCE_TABLE"}},
        {"trace_location": {"mlflow_experiment": {"experiment_id": 5}}},
        {"request_time": "yesterday"},
        {"request_time": 5},
        {"execution_duration": "long"},
        {"state": "FINE"},
        {"tags": ["a"]},
        {"tags": {"a": 5}},
        {"assessments": {}},
        {"assessments": [{"assessment_name": "x"}]},
        {"request_preview": "a\0b"},
    ],
)
def test_a_trace_that_is_wrong_is_refused(client, changes):
    code, _ = client.refused("traces", trace={"trace_info": {**INFO, **changes}})
    assert code == "INVALID_PARAMETER_VALUE"
    assert client.post("traces/search", experiment_ids=["0"]) == {"traces": []}


def test_an_experiment_must_be_there_and_not_deleted(client):
    place = {"mlflow_experiment": {"experiment_id": "99"}}
    code, _ = client.refused("traces", trace={"trace_info": {**INFO, "trace_location": place}}, expect=404)
    assert code == "RESOURCE_DOES_NOT_EXIST"
    made = client.post("experiments/create", name="e")["experiment_id"]
    client.post("experiments/delete", experiment_id=made)
    place = {"mlflow_experiment": {"experiment_id": made}}
    client.refused("traces", trace={"trace_info": {**INFO, "trace_location": place}})


def test_long_values_are_cut_as_clients_expect(client):
    sent = start(client, tags={"long": "x" * 5000}, trace_metadata={"long": "y" * 300})
    assert sent["tags"]["long"] == "x" * 4093 + "..."
    assert sent["trace_metadata"]["long"] == "y" * 247 + "..."


@pytest.mark.parametrize(
    "fields",
    [
        {"experiment_ids": []},
        {"experiment_ids": ["0"], "max_results": 501},
        {"experiment_ids": ["0"], "max_results": 0},
        {"experiment_ids": ["0"], "page_token": "?"},
        {"experiment_ids": ["0"], "filter": "a"},
        {"experiment_ids": ["0"], "filter": "trace.status = 'x' AND"},
        {"experiment_ids": ["0"], "filter": "trace.timestamp_ms > 'x'"},
        {"experiment_ids": ["0"], "filter": "trace.timestamp_ms > 1" + "0" * 400},
        {"experiment_ids": ["0"], "filter": "span.nothing = 'x'"},
        {"experiment_ids": ["0"], "filter": "span.attributes. = 'x'"},
        {"experiment_ids": ["0"], "filter": "prompt = 'no slash'"},
        {"experiment_ids": ["0"], "filter": "feedback.x > 'many'"},
        {"experiment_ids": ["0"], "filter": "trace.status IN ()"},
        {"experiment_ids": ["0"], "order_by": ["span.name"]},
        {"experiment_ids": ["0"], "order_by": ["timestamp_ms SIDEWAYS"]},
        {"locations": [{"uc_schema": {}}]},
        {"locations": 5},
    ],
)
def test_a_search_that_is_wrong_is_refused(client, fields):
    assert client.refused("traces/search", **fields)[0] == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize(
    "text",
    [
        "trace.timestamp_ms > 9223372036854775807",
        "trace.timestamp_ms < -9223372036854775808",
        "tags.a = '' AND tags.`b c` = 'x'",
    ],
)
def test_extremes_are_answered(client, text):
    start(client)
    assert client.post("traces/search", experiment_ids=["0", "x", "9" * 30], filter=text) == {"traces": []}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"experiment_id": "0"},
        {"experiment_id": "0", "max_traces": 0, "max_timestamp_millis": 1},
        {"experiment_id": "0", "max_timestamp_millis": 10**18},
        {"experiment_id": "0", "trace_ids": ["a"], "max_traces": 5},
        {"experiment_id": "0", "trace_ids": "a"},
    ],
)
def test_a_deletion_that_is_wrong_deletes_nothing(client, fields):
    start(client)
    client.refused("traces/delete-traces", **fields)
    assert len(client.post("traces/search", experiment_ids=["0"])["traces"]) == 1


def test_assessments_are_refused_where_they_say_too_little_or_too_much(client):
    start(client)
    path = f"traces/{TRACE}/assessments"
    source = {"source_type": "HUMAN", "source_id": "ann"}
    good = {"assessment_name": "n", "source": source, "feedback": {"value": True}}
    for changes in (
        {"assessment_name": ""},
        {"source": None},
        {"source": {"source_type": "DOG"}},
        {"feedback": None},
        {"expectation": {"value": 1}},
        {"feedback": 5},
        {"feedback": {"value": 1, "error": "x"}},
        {"feedback": None, "expectation": {"serialized_value": {"serialization_format": "PICKLE", "value": "x"}}},
        {"feedback": None, "expectation": {"serialized_value": {"serialization_format": "JSON_FORMAT", "value": "{"}}},
        {"metadata": {"a": 1}},
        {"create_time": "soon"},
    ):
        client.refused(path, assessment={**good, **changes})
    client.refused(path)
    client.refused(path, assessment={**good, "overrides": "a-nothing"}, expect=404)
    client.refused("traces/tr-nothing/assessments", assessment=good, expect=404)
    made = client.post(path, assessment=good)["assessment"]
    one = f"{path}/{made['assessment_id']}"
    client.refused(one, method="PATCH", assessment={}, update_mask="source")
    client.refused(one, method="PATCH", assessment={})
    client.refused(one, method="PATCH", assessment={"expectation": {"value": 1}}, update_mask="expectation")
    client.refused(f"{path}/a-nothing", method="GET", expect=404)
    assert client.get(one)["assessment"] == made
    assert client.ask("DELETE", f"{path}/a-nothing") == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PLACES = [
    ("POST", "traces", ("trace",)),
    ("POST", "traces/search", ("experiment_ids", "filter", "locations", "order_by", "max_results", "page_token")),
    ("POST", "traces/delete-traces", ("experiment_id", "trace_ids", "max_timestamp_millis", "max_traces")),
    ("POST", "traces/link-to-run", ("trace_ids", "run_id")),
    ("POST", "traces/link-prompts", ("trace_id", "prompt_versions")),
    ("POST", "traces/batchGetInfos", ("trace_ids", "experiment_ids")),
    ("PATCH", f"traces/{TRACE}/tags", ("key", "value")),
    ("POST", f"traces/{TRACE}/assessments", ("assessment",)),
    ("PATCH", f"traces/{TRACE}/assessments/a-1", ("assessment", "update_mask")),
    ("POST", "webhooks", ("name", "url", "events", "status", "secret", "description")),
    ("PATCH", "webhooks/x", ("name", "url", "events", "status")),
    ("POST", "webhooks/x/test", ("event",)),
]


@given(st.sampled_from(PLACES), st.data())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_json_makes_the_server_fail(client, place, data):
    method, path, names = place
    fields = {name: data.draw(json_values) for name in names if data.draw(st.booleans())}
    status, _, body = client.send(method, f"/api/3.0/mlflow/{path}", body=json.dumps(fields).encode())
    assert status < 500, (fields, body)


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_filter_makes_the_server_fail(client, text):
    body = json.dumps({"experiment_ids": ["0"], "filter": text}).encode()
    assert client.send("POST", "/api/3.0/mlflow/traces/search", body=body)[0] in (200, 400)


@pytest.mark.parametrize("state", [{}, [1], 3, "GOOD"])
def test_a_state_that_is_none_is_refused(client, state):
    code, message = client.refused("traces", trace={"trace_info": {**INFO, "state": state}})
    assert (code, "state" in message) == ("INVALID_PARAMETER_VALUE", True)


@pytest.mark.parametrize("name", ["\ud800", "a\0b", 1, None, "x" * 3000])
def test_a_prompt_whose_name_cannot_be_kept_is_refused(client, name):
    start(client)
    body = {"trace_id": TRACE, "prompt_versions": [{"name": name, "version": "1"}]}
    assert client.refused("traces/link-prompts", **body)[0] == "INVALID_PARAMETER_VALUE"


def test_traces_are_linked_to_a_whole_run_and_to_no_part_of_an_id(client):
    start(client)
    run = client.post("runs/create", experiment_id="0")["run"]["info"]["run_id"]
    for part in (run[:31], "x" * 60_000):
        code, _ = client.refused("traces/link-to-run", expect=404, run_id=part, trace_ids=[TRACE])
        assert code == "RESOURCE_DOES_NOT_EXIST"
    assert client.post("traces/link-to-run", run_id=run, trace_ids=[TRACE]) == {}


def test_metadata_under_a_key_that_is_too_long_are_left_out_as_tags_are(client):
    sent = start(client, trace_metadata={"x" * 251: "1", "y" * 250: "2"}, tags={"x" * 251: "1"})
    assert sent["trace_metadata"] == {"y" * 250: "2"}
    assert "x" * 251 not in sent["tags"]


@pytest.mark.parametrize("name", ["", None, 1, "x" * 251])
def test_an_assessment_is_not_renamed_to_what_is_no_name(client, name):
    start(client)
    one = {"assessment_name": "a", "source": {"source_type": "HUMAN"}, "feedback": {"value": 1}}
    made = client.post(f"traces/{TRACE}/assessments", assessment=one)["assessment"]["assessment_id"]
    path = f"traces/{TRACE}/assessments/{made}"
    change = {"assessment": {"assessment_name": name}, "update_mask": "assessment_name"}
    assert client.refused(path, method="PATCH", **change)[0] == "INVALID_PARAMETER_VALUE"
    assert client.get(path)["assessment"]["assessment_name"] == "a"
