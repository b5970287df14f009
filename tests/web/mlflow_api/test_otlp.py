import base64
import contextlib
import json

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from homeostat.core.errors import InvalidInput
from homeostat.web.mlflow_api.otlp import read_json, read_protobuf

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
uint64 = st.integers(0, 2**64 - 1)
ids = st.binary(max_size=16).map(lambda raw: base64.b64encode(raw).decode())
values = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"string_value": names}),
        st.fixed_dictionaries({"bool_value": st.booleans()}),
        st.fixed_dictionaries({"int_value": st.integers(-(2**63), 2**63 - 1)}),
        st.fixed_dictionaries({"double_value": st.floats(allow_nan=False, allow_infinity=False)}),
        st.fixed_dictionaries({"bytes_value": ids}),
        st.just({}),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {"array_value": st.fixed_dictionaries({"values": st.lists(inner, min_size=1, max_size=3)})}
        ),
        st.fixed_dictionaries(
            {
                "kvlist_value": st.fixed_dictionaries(
                    {
                        "values": st.lists(
                            st.fixed_dictionaries({"key": names.filter(bool), "value": inner}), min_size=1, max_size=2
                        )
                    }
                )
            }
        ),
    ),
    max_leaves=5,
)
attributes = st.lists(st.fixed_dictionaries({"key": names.filter(bool), "value": values}), min_size=1, max_size=3)
spans = st.fixed_dictionaries(
    {"trace_id": ids.filter(bool), "span_id": ids.filter(bool)},
    optional={
        "parent_span_id": ids.filter(bool),
        "name": names.filter(bool),
        "kind": st.integers(1, 5),
        "start_time_unix_nano": uint64.filter(bool),
        "end_time_unix_nano": uint64.filter(bool),
        "attributes": attributes,
        "flags": st.integers(1, 2**32 - 1),
        "status": st.fixed_dictionaries({"code": st.integers(1, 2)}, optional={"message": names.filter(bool)}),
        "events": st.lists(
            st.fixed_dictionaries({"name": names.filter(bool), "time_unix_nano": uint64.filter(bool)}),
            min_size=1,
            max_size=2,
        ),
        "links": st.lists(st.fixed_dictionaries({"trace_id": ids.filter(bool), "attributes": attributes}), min_size=1),
    },
)
requests = st.fixed_dictionaries(
    {
        "resource_spans": st.lists(
            st.fixed_dictionaries(
                {
                    "resource": st.fixed_dictionaries({"attributes": attributes}),
                    "scope_spans": st.lists(
                        st.fixed_dictionaries({"spans": st.lists(spans, min_size=1, max_size=3)}),
                        min_size=1,
                        max_size=2,
                    ),
                }
            ),
            min_size=1,
            max_size=2,
        )
    }
)


@given(requests)
@settings(max_examples=60, deadline=None)
def test_the_binary_form_says_what_the_reference_implementation_wrote(request):
    message = ParseDict(request, ExportTraceServiceRequest())
    assert read_protobuf(message.SerializeToString()) == request


@given(requests)
@settings(max_examples=60, deadline=None)
def test_the_json_form_says_the_same(request):
    message = ParseDict(request, ExportTraceServiceRequest())
    text = MessageToDict(message)

    def with_hex_ids(node):
        if isinstance(node, list):
            return [with_hex_ids(each) for each in node]
        if not isinstance(node, dict):
            return node
        return {
            key: base64.b64decode(value).hex() if key in {"traceId", "spanId", "parentSpanId"} else with_hex_ids(value)
            for key, value in node.items()
        }

    assert read_json(json.loads(json.dumps(with_hex_ids(text)))) == request


@given(st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_noise_is_read_or_refused_and_nothing_else(body):
    with contextlib.suppress(InvalidInput):
        read_protobuf(body)


@given(requests, st.data())
@settings(max_examples=60, deadline=None)
def test_a_body_that_was_cut_is_read_or_refused(request, data):
    body = ParseDict(request, ExportTraceServiceRequest()).SerializeToString()
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    with contextlib.suppress(InvalidInput):
        read_protobuf(cut)


def test_what_no_database_keeps_is_replaced():
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "a\0b\ud800"}]}]}]}
    (span,) = read_json(body)["resource_spans"][0]["scope_spans"][0]["spans"]
    assert span["name"] == "a\ufffdb?"


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_lacks_are_texts(value):
    attribute = {"key": "x", "value": {"double_value": value}}
    span = {"attributes": [attribute]}
    message = ParseDict({"resource_spans": [{"scope_spans": [{"spans": [span]}]}]}, ExportTraceServiceRequest())
    (read,) = read_protobuf(message.SerializeToString())["resource_spans"][0]["scope_spans"][0]["spans"]
    assert read["attributes"][0]["value"] == {"double_value": value}


def test_nesting_without_end_is_refused():
    value = {"stringValue": "x"}
    for _ in range(100):
        value = {"arrayValue": {"values": [value]}}
    body = {"resourceSpans": [{"resource": {"attributes": [{"key": "k", "value": value}]}}]}
    with pytest.raises(InvalidInput, match="nested"):
        read_json(body)


@pytest.mark.parametrize(
    "span",
    [
        {"traceId": "xyz"},
        {"traceId": 5},
        {"startTimeUnixNano": "1.5"},
        {"startTimeUnixNano": 2**70},
        {"attributes": {}},
    ],
)
def test_a_wrong_value_is_named(span):
    with pytest.raises(InvalidInput, match=next(iter(span))):
        read_json({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
