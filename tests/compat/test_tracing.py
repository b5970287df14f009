"""Tracing as the unmodified client does it, read back through the client."""

import json
import urllib.request

import pytest
from tests.compat.door import open_door

from homeostat.app.clock import SystemClock
from homeostat.storage.blobs import LocalBlobs
from homeostat.storage.sql.store import open_store
from homeostat.track.runs import finish_run, start_run

mlflow = pytest.importorskip("mlflow", reason="no mlflow here")
from mlflow.entities import AssessmentSource, Expectation, Feedback, SpanType  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    store = open_store(f"sqlite:///{folder}/a.db")
    with open_door(store=store, blobs=LocalBlobs(folder / "blobs"), clock=SystemClock()) as where:
        yield where
    store.close()


@pytest.fixture
def experiment(address, monkeypatch, request):
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(address)
    mlflow.tracing.reset()
    yield mlflow.set_experiment(request.node.name).experiment_id
    mlflow.set_tracking_uri(before)


@mlflow.trace(span_type=SpanType.LLM, attributes={"model": "gpt-é", "n": 5, "ok": True})
def answer(question):
    with mlflow.start_span("step") as span:
        span.set_inputs({"q": question})
        span.set_attribute("nested", {"a": [1, None, 2.5]})
        span.add_event(mlflow.entities.SpanEvent("thought", attributes={"deep": "yes"}))
    return {"a": question.upper()}


@mlflow.trace
def fails():
    raise ValueError("no")


def last():
    return mlflow.get_trace(mlflow.get_last_active_trace_id())


def found(experiment, text=None, **more):
    return mlflow.search_traces(locations=[experiment], filter_string=text, return_type="list", **more)


def test_spans_come_back_as_they_were(experiment):
    answer("hé")
    trace = last()
    outer, inner = trace.data.spans
    assert (outer.name, outer.inputs, outer.outputs, outer.span_type) == (
        "answer",
        {"question": "hé"},
        {"a": "HÉ"},
        "LLM",
    )
    assert (outer.get_attribute("model"), outer.get_attribute("n"), outer.get_attribute("ok")) == ("gpt-é", 5, True)
    assert (inner.parent_id, inner.inputs) == (outer.span_id, {"q": "hé"})
    assert inner.get_attribute("nested") == {"a": [1, None, 2.5]}
    assert [(event.name, event.attributes) for event in inner.events] == [("thought", {"deep": "yes"})]
    assert outer.start_time_ns <= inner.start_time_ns <= inner.end_time_ns <= outer.end_time_ns
    assert (trace.info.state, trace.info.experiment_id) == ("OK", experiment)
    assert json.loads(trace.info.request_preview) == {"question": "hé"}
    assert trace.info.tags["mlflow.traceName"] == "answer"


def test_an_exception_is_kept_with_its_event(experiment):
    with pytest.raises(ValueError, match="no"):
        fails()
    trace = last()
    assert trace.info.state == "ERROR"
    (span,) = trace.data.spans
    assert span.status.status_code == "ERROR"
    assert any(event.name == "exception" for event in span.events)


def test_a_trace_belongs_to_the_run_that_was_open(experiment):
    with mlflow.start_run() as run:
        answer("x")
    mine = mlflow.get_last_active_trace_id()
    answer("y")
    assert [trace.info.trace_id for trace in found(experiment, run_id=run.info.run_id)] == [mine]


def test_tags_are_set_and_deleted(experiment):
    answer("x")
    trace_id = mlflow.get_last_active_trace_id()
    mlflow.set_trace_tag(trace_id, "k", "v" * 100)
    assert last().info.tags["k"] == "v" * 100
    mlflow.delete_trace_tag(trace_id, "k")
    assert "k" not in last().info.tags
    with pytest.raises(mlflow.MlflowException, match="No trace tag"):
        mlflow.delete_trace_tag(trace_id, "k")


def test_assessments_are_made_changed_overridden_and_deleted(experiment):
    answer("x")
    trace_id = mlflow.get_last_active_trace_id()
    human = AssessmentSource(source_type="HUMAN", source_id="ann")
    right = mlflow.log_feedback(
        trace_id=trace_id, name="right", value=True, rationale="since", metadata={"a": "b"}, source=human
    )
    want = mlflow.log_expectation(trace_id=trace_id, name="want", value={"deep": [1, "two"]})
    wrong = mlflow.log_feedback(trace_id=trace_id, name="failed", error=ValueError("judge"))
    got = mlflow.get_assessment(trace_id, right.assessment_id)
    assert (got.value, got.rationale, got.metadata, got.source) == (True, "since", {"a": "b"}, human)
    assert mlflow.get_assessment(trace_id, want.assessment_id).value == {"deep": [1, "two"]}
    assert mlflow.get_assessment(trace_id, wrong.assessment_id).error.error_message == "judge"
    mlflow.update_assessment(trace_id, right.assessment_id, Feedback(name="right", value=0.25, metadata={"c": "d"}))
    got = mlflow.get_assessment(trace_id, right.assessment_id)
    assert (got.value, got.rationale, got.metadata) == (0.25, "since", {"a": "b", "c": "d"})
    with pytest.raises(mlflow.MlflowException, match="Cannot update"):
        mlflow.update_assessment(trace_id, right.assessment_id, Expectation(name="right", value=1))
    over = mlflow.override_feedback(trace_id=trace_id, assessment_id=right.assessment_id, value=0.75)
    assert {one.name: one.valid for one in last().info.assessments if one.assessment_id != over.assessment_id}[
        "right"
    ] is False
    mlflow.delete_assessment(trace_id, over.assessment_id)
    assert mlflow.get_assessment(trace_id, right.assessment_id).valid is True
    mlflow.delete_assessment(trace_id, right.assessment_id)
    assert {one.name for one in last().info.assessments} == {"want", "failed"}


def test_searches_find_what_they_mean(experiment):
    answer("x")
    good = mlflow.get_last_active_trace_id()
    mlflow.log_feedback(trace_id=good, name="score", value=0.9)
    mlflow.set_trace_tag(good, "team", "Alpha")
    with pytest.raises(ValueError, match="no"):
        fails()
    bad = mlflow.get_last_active_trace_id()
    cases = {
        "trace.status = 'ERROR'": [bad],
        "status != 'ERROR'": [good],
        "trace.status IN ('OK', 'ERROR')": [bad, good],
        "tags.team = 'Alpha'": [good],
        "tags.team ILIKE 'alp%'": [good],
        "tags.team RLIKE '^A.*a$'": [good],
        "tags.team RLIKE 'b'": [],
        "trace.name RLIKE '^(answer|fails)$'": [bad, good],
        "span.attributes.model RLIKE 'gpt-.'": [good],
        "metadata.`mlflow.user` RLIKE '.'": [bad, good],
        "tags.team IS NULL": [bad],
        "attributes.name = 'answer'": [good],
        "trace.name LIKE 'fai%'": [bad],
        "span.name = 'step'": [good],
        "span.type = 'LLM' AND span.status = 'OK'": [good],
        "span.attributes.model LIKE 'gpt%'": [good],
        "trace.text LIKE '%ValueError%'": [bad],
        "feedback.score = 0.9": [good],
        "feedback.score > 0.5 AND trace.status = 'OK'": [good],
        "feedback.score > 0.95": [],
        "trace.timestamp_ms > 1600000000000": [bad, good],
        "trace.execution_time_ms >= 0": [bad, good],
        f"trace.request_id = '{good}'": [good],
        "metadata.`mlflow.user` != 'nobody at all'": [bad, good],
    }
    for text, wanted in cases.items():
        assert [trace.info.trace_id for trace in found(experiment, text)] == wanted, text
    assert [len(trace.data.spans) for trace in found(experiment)] == [1, 2]
    assert [trace.info.trace_id for trace in found(experiment, order_by=["timestamp_ms ASC"])] == [good, bad]
    assert [trace.info.trace_id for trace in found(experiment, max_results=1)] == [bad]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "trace.nothing = 'x'",
        "trace.status = OK",
        "status = 'OK' OR status = 'ERROR'",
        "tags.a RLIKE '('",
        "tags.a RLIKE '(?=x)'",
        "feedback.a RLIKE 'x'",
    ],
)
def test_a_filter_that_says_nothing_is_refused(experiment, text):
    if not text:
        assert found(experiment, text) == []
        return
    with pytest.raises(mlflow.MlflowException, match="INVALID_PARAMETER_VALUE"):
        found(experiment, text)


def test_pages_have_no_gap(experiment):
    for number in range(7):
        answer(str(number))
    client, seen, token = mlflow.MlflowClient(), [], None
    while True:
        page = client.search_traces(locations=[experiment], max_results=3, page_token=token, include_spans=False)
        seen += [trace.info.trace_id for trace in page]
        token = page.token
        if not token:
            break
    assert len(seen) == len(set(seen)) == 7


def test_deleted_traces_are_gone(experiment):
    answer("x")
    trace_id = mlflow.get_last_active_trace_id()
    answer("y")
    client = mlflow.MlflowClient()
    assert client.delete_traces(experiment, trace_ids=[trace_id, "tr-" + "0" * 32]) == 1
    assert len(found(experiment)) == 1
    assert client.delete_traces(experiment, max_timestamp_millis=4_000_000_000_000, max_traces=5) == 1
    assert found(experiment) == []


def test_a_trace_that_was_never_there_is_not_found(experiment):
    with pytest.raises(mlflow.MlflowException, match="RESOURCE_DOES_NOT_EXIST"):
        mlflow.MlflowClient().get_trace("tr-" + "0" * 32)


def test_traces_logged_in_the_background_arrive(experiment, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "true")
    mlflow.tracing.reset()
    for number in range(5):
        answer(str(number))
    mlflow.flush_trace_async_logging(terminate=True)
    assert [len(trace.data.spans) for trace in found(experiment)] == [2] * 5


def test_any_exporter_of_opentelemetry_may_send_spans(experiment, address):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    service = group.resource.attributes.add(key="service.name")
    service.value.string_value = "shop"
    scope = group.scope_spans.add()
    for number, name in enumerate(("root", "child")):
        span = scope.spans.add(name=name, trace_id=bytes(range(16)), span_id=bytes([number + 1] * 8))
        span.start_time_unix_nano, span.end_time_unix_nano = 1_700_000_000_000_000_000, 1_700_000_001_500_000_000
        if number:
            span.parent_span_id = bytes([1] * 8)
        usage = span.attributes.add(key="mlflow.chat.tokenUsage")
        usage.value.string_value = json.dumps({"input_tokens": 3, "total_tokens": 5})
    sent = urllib.request.Request(
        f"{address}/v1/traces",
        data=request.SerializeToString(),
        headers={"content-type": "application/x-protobuf", "x-mlflow-experiment-id": experiment},
    )
    with urllib.request.urlopen(sent) as answered:
        assert (answered.status, answered.headers["content-type"]) == (200, "application/x-protobuf")
    (trace,) = found(experiment)
    assert (trace.info.state, trace.info.request_time, trace.info.execution_duration) == ("OK", 1_700_000_000_000, 1500)
    assert trace.info.tags["service.name"] == "shop"
    assert trace.info.token_usage == {"input_tokens": 3, "total_tokens": 5}
    assert [span.name for span in trace.data.spans] == ["root", "child"]


def test_a_training_run_of_ours_is_a_trace_that_the_client_reads(tmp_path):
    store, clock, run_id = open_store(f"sqlite:///{tmp_path}/a.db"), SystemClock(), "3f" * 16
    with store.write() as tx:
        facts = {"dataset": "churn", "dataset_version": 3}
        start_run(
            tx, run_id=run_id, experiment="churn", name="churn-1", user="ada", now=clock.now(), facts=facts, params={}
        )
        finish_run(tx, run_id, now=clock.now(), metrics={})
    before = mlflow.get_tracking_uri()
    with open_door(store=store, blobs=LocalBlobs(tmp_path / "blobs"), clock=clock) as where:
        mlflow.set_tracking_uri(where)
        trace = mlflow.get_trace(f"tr-{run_id}")
        of_run = mlflow.search_traces(
            locations=[trace.info.experiment_id], filter_string=f"run_id = '{run_id}'", return_type="list"
        )
        mlflow.set_tracking_uri(before)
    store.close()
    (span,) = trace.data.spans
    assert (trace.info.state, span.name) == ("OK", "train churn-1")
    told = {name: span.attributes[f"homeostat.{name}"] for name in ("run_id", "dataset", "dataset_version")}
    assert told == {"run_id": run_id, **facts}
    assert [each.info.trace_id for each in of_run] == [trace.info.trace_id]
