from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.traces import (
    Assessment,
    AssessmentKind,
    Span,
    Trace,
    TraceCondition,
    TraceOrder,
    TraceQuery,
    TraceState,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def a_trace(tx, name="tr-1", **more) -> Trace:
    experiment = tx.runs.experiment("traced", now=NOW)
    return Trace(**{"trace_id": name, "experiment_id": experiment, "state": TraceState.OK, "started": NOW, **more})


def a_span(trace_id="tr-1", span_id="0" * 15 + "1", **attributes) -> Span:
    content = {
        "name": "step",
        "attributes": [
            {"key": key, "value": {{str: "string_value", int: "int_value", bool: "bool_value"}[type(value)]: value}}
            for key, value in attributes.items()
        ],
    }
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=None,
        name="step",
        kind="LLM",
        status="OK",
        start_ns=1_700_000_000_000_000_001,
        end_ns=None,
        content=content,
    )


def said(trace_id="tr-1", name="right", *, value: object = True, **more) -> Assessment:
    facts = {
        "assessment_id": f"a-{trace_id}-{name}",
        "trace_id": trace_id,
        "name": name,
        "kind": AssessmentKind.FEEDBACK,
        "source_type": "HUMAN",
        "source_id": "ann",
        "created": NOW,
        "updated": NOW,
        "value": value,
    }
    return Assessment(**facts | more)


def found(store, *conditions: TraceCondition, **query) -> list[str]:
    with store.read() as tx:
        return [trace.trace_id for trace in tx.traces.search(TraceQuery(conditions=conditions, **query))]


def test_a_trace_reads_back_as_written(store):
    with store.write() as tx:
        trace = a_trace(
            tx,
            duration_ms=12,
            client_request_id="c",
            request_preview='{"q": "é"}',
            response_preview="",
            tags={"k": "v"},
            metadata={"m": "1"},
            assessments=(said(value={"a": [1, None]}, error={"error_code": "X"}, metadata={"x": "y"}),),
        )
        tx.traces.put(trace)
    with store.read() as tx:
        assert tx.traces.get("tr-1") == trace
        assert tx.traces.find("tr-2") is None
        with pytest.raises(NotFound, match="tr-2"):
            tx.traces.get("tr-2")


def test_a_second_put_changes_facts_and_adds_tags(store):
    with store.write() as tx:
        tx.traces.put(a_trace(tx, tags={"a": "1", "b": "1"}, state=TraceState.IN_PROGRESS))
        tx.traces.put(a_trace(tx, tags={"b": "2"}))
    with store.read() as tx:
        trace = tx.traces.get("tr-1")
    assert (trace.state, trace.tags) == (TraceState.OK, {"a": "1", "b": "2"})


def test_tags_are_set_and_deleted_by_key(store):
    with store.write() as tx:
        tx.traces.put(a_trace(tx))
        tx.traces.set_tag("tr-1", "k", "v")
        tx.traces.delete_tag("tr-1", "k")
        with pytest.raises(NotFound, match="'k'"):
            tx.traces.delete_tag("tr-1", "k")


def test_spans_come_earliest_first_and_the_last_writer_of_an_id_wins(store):
    with store.write() as tx:
        tx.traces.put(a_trace(tx))
        late = replace(a_span(span_id="0" * 15 + "2"), start_ns=1_800_000_000_000_000_000, content={"n": 2})
        tx.traces.put_spans([late, a_span(a="x"), replace(a_span(), content={"n": 1})])
    with store.read() as tx:
        assert tx.traces.spans(["tr-1", "tr-2"]) == {"tr-1": ['{"n":1}', '{"n":2}'], "tr-2": []}
        assert tx.traces.count_spans(["tr-1", "tr-2"]) == {"tr-1": 2, "tr-2": 0}


def test_deleting_takes_all_that_belongs_to_a_trace_and_nothing_else(store):
    with store.write() as tx:
        for name in ("tr-1", "tr-2"):
            tx.traces.put(a_trace(tx, name, tags={"k": "v"}, metadata={"m": "1"}, assessments=(said(name),)))
            tx.traces.put_spans([a_span(name)])
        tx.traces.link(["tr-1", "tr-2"], "run", ["r"])
        assert tx.traces.delete(["tr-1", "tr-9"]) == 1
    with store.read() as tx:
        assert tx.traces.find("tr-1") is None
        assert tx.traces.find_assessment("tr-1", "a-tr-1-right") is None
        assert tx.traces.count_spans(["tr-1", "tr-2"]) == {"tr-1": 0, "tr-2": 1}
        assert len(tx.traces.get("tr-2").assessments) == 1


def test_ids_are_oldest_first_within_bounds(store):
    with store.write() as tx:
        for i in range(4):
            tx.traces.put(a_trace(tx, f"tr-{i}", started=NOW - timedelta(hours=i)))
        experiment = tx.runs.experiment("traced", now=NOW)
        assert tx.traces.ids(experiment_id=experiment, until=NOW - timedelta(hours=1), limit=2) == ["tr-3", "tr-2"]
        assert tx.traces.ids(experiment_id=experiment, trace_ids=["tr-1", "no"]) == ["tr-1"]
        assert tx.traces.ids(experiment_id="987", trace_ids=["tr-1"]) == []


@pytest.fixture
def filled(store):
    with store.write() as tx:
        tx.traces.put(a_trace(tx, "tr-1", duration_ms=5, tags={"who": "Ann"}, metadata={"mlflow.sourceRun": "r1"}))
        tx.traces.put(a_trace(tx, "tr-2", started=NOW + timedelta(seconds=1), duration_ms=50, tags={"who": "bob"}))
        tx.traces.put(a_trace(tx, "tr-3", started=NOW + timedelta(seconds=2), state=TraceState.ERROR))
        tx.traces.put_spans([a_span("tr-1", model="gpt", n=5, ok=True), a_span("tr-2", model="Llama", ok=False)])
        tx.traces.link(["tr-3"], "run", ["r1"])
        tx.traces.link(["tr-3"], "prompt", ["p/1"])
        tx.traces.put_assessment(said("tr-1", "right", value=True))
        tx.traces.put_assessment(said("tr-2", "right", value="yes"))
        tx.traces.put_assessment(said("tr-3", "right", value=0.5))
        tx.traces.put_assessment(said("tr-3", "want", value="x", kind=AssessmentKind.EXPECTATION))
    return store


CASES = [
    ("attribute", "state", "=", "OK", ["tr-2", "tr-1"]),
    ("attribute", "state", "IN", ("OK", "ERROR"), ["tr-3", "tr-2", "tr-1"]),
    ("attribute", "duration_ms", ">", 5, ["tr-2"]),
    ("attribute", "started", ">=", NOW + timedelta(seconds=1), ["tr-3", "tr-2"]),
    ("attribute", "ended", "<=", NOW + timedelta(milliseconds=5), ["tr-1"]),
    ("tag", "who", "=", "Ann", ["tr-1"]),
    ("tag", "who", "!=", "Ann", ["tr-2"]),
    ("tag", "who", "LIKE", "a%", []),
    ("tag", "who", "ILIKE", "a%", ["tr-1"]),
    ("tag", "who", "RLIKE", "^A.+", ["tr-1"]),
    ("tag", "who", "RLIKE", "^a", []),
    ("tag", "who", "IS NULL", None, ["tr-3"]),
    ("tag", "who", "IS NOT NULL", None, ["tr-2", "tr-1"]),
    ("run", "", "=", "r1", ["tr-3", "tr-1"]),
    ("prompt", "", "=", "p/1", ["tr-3"]),
    ("span", "kind", "=", "LLM", ["tr-2", "tr-1"]),
    ("span", "content", "LIKE", "%Llama%", ["tr-2"]),
    ("span_attribute", "model", "=", "gpt", ["tr-1"]),
    ("span_attribute", "model", "ILIKE", "l%", ["tr-2"]),
    ("span_attribute", "n", "=", "5", ["tr-1"]),
    ("span_attribute", "ok", "=", "true", ["tr-1"]),
    ("span_attribute", "ok", "=", "false", ["tr-2"]),
    ("feedback", "right", "=", "true", ["tr-1"]),
    ("feedback", "right", "=", "yes", ["tr-2"]),
    ("feedback", "right", "!=", "yes", ["tr-3", "tr-1"]),
    ("feedback", "right", ">", 0.4, ["tr-3"]),
    ("feedback", "want", "IS NOT NULL", None, []),
    ("expectation", "want", "IS NOT NULL", None, ["tr-3"]),
    ("expectation", "want", "IS NULL", None, ["tr-2", "tr-1"]),
]


def test_a_condition_finds_what_it_means(filled):
    for entity, key, operator, value, wanted in CASES:
        condition = TraceCondition(entity=entity, key=key, operator=operator, value=value)
        assert found(filled, condition) == wanted, condition


def test_conditions_on_spans_are_about_one_span(filled):
    with filled.write() as tx:
        tx.traces.put_spans([a_span("tr-1", span_id="0" * 15 + "9", model="other")])
    gpt = TraceCondition(entity="span_attribute", key="model", operator="=", value="gpt")
    five = TraceCondition(entity="span_attribute", key="n", operator="=", value="5")
    other = TraceCondition(entity="span_attribute", key="model", operator="=", value="other")
    assert found(filled, gpt, five) == ["tr-1"]
    assert found(filled, other, five) == []


def test_order_and_pages(filled):
    by_who = (TraceOrder(entity="tag", key="who"),)
    assert found(filled, order=by_who) == ["tr-1", "tr-2", "tr-3"]
    assert found(filled, order=(replace(by_who[0], is_ascending=False),)) == ["tr-2", "tr-1", "tr-3"]
    assert found(filled, order=by_who, limit=1, offset=1) == ["tr-2"]
    assert found(filled, experiment_ids=("12345",)) == []
    assert found(filled, experiment_ids=()) == []


@pytest.mark.parametrize("pattern", ["(", "(?=x)", r"(a)\1", "(((a{100}){100}){100})"])
def test_a_pattern_that_cannot_be_read_is_refused(filled, pattern):
    with pytest.raises(InvalidInput, match="regular expression"):
        found(filled, TraceCondition(entity="tag", key="who", operator="RLIKE", value=pattern))


def test_a_pattern_is_read_or_refused_and_never_a_fault(filled):
    for pattern in ("x**", r"\pL+", "(?P<x>A)", "[[:alpha:]]", "(?i)ann", "a{0,999}", "\\x{41}"):
        try:
            answer = found(filled, TraceCondition(entity="tag", key="who", operator="RLIKE", value=pattern))
        except InvalidInput:
            continue
        assert set(answer) <= {"tr-1", "tr-2"}
