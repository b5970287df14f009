import json
from datetime import UTC, datetime, timedelta

import pytest

from homeostat.core.errors import Conflict, NotFound
from homeostat.core.records.tracking import RunStatus
from homeostat.core.traces import RUN_KEY, TraceState
from homeostat.storage.sql.store import open_memory_store
from homeostat.track.run_traces import ids_of
from homeostat.track.runs import fail_run, finish_run, start_run
from homeostat.track.traces import attributes_of, span_of

NOW = datetime(2024, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def store():
    return open_memory_store()


def _start(store, run_id="a" * 32, *, now=NOW, **more):
    given = {"facts": {"seed": 1}, "params": {"depth": "2"}, **more}
    with store.write() as tx:
        return start_run(tx, run_id=run_id, experiment="churn", name="churn-1", user="ada", now=now, **given)


def _events(store):
    with store.read() as tx:
        return [event.kind for event in tx.audit.events()]


def test_a_run_starts_and_finishes_and_the_audit_log_says_so(store):
    started = _start(store)
    assert (started.status, started.params, started.artifacts) == (
        RunStatus.RUNNING,
        {"depth": "2"},
        "runs/" + "a" * 32,
    )
    with store.write() as tx:
        finish_run(
            tx, "a" * 32, now=LATER, metrics={"auc": 0.9}, params={"extra": "x"}, facts={"cpu_s": 2}, tags={"t": "1"}
        )
    with store.read() as tx:
        run = tx.runs.get("a" * 32)
    assert (run.status, run.started, run.ended, run.metrics) == (RunStatus.FINISHED, NOW, LATER, {"auc": 0.9})
    assert (run.params, run.facts, run.tags) == ({"depth": "2", "extra": "x"}, {"seed": 1, "cpu_s": 2}, {"t": "1"})
    assert _events(store) == ["run.started", "run.finished"]


def test_finishing_twice_is_as_once(store):
    _start(store)
    for value in (0.9, 0.1):
        with store.write() as tx:
            run = finish_run(tx, "a" * 32, now=LATER, metrics={"auc": value})
    assert run.metrics == {"auc": 0.9}
    assert _events(store) == ["run.started", "run.finished"]


def test_a_finished_run_does_not_start_again(store):
    _start(store)
    with store.write() as tx:
        finish_run(tx, "a" * 32, now=LATER, metrics={})
    assert _start(store, facts={"seed": 2}).facts == {"seed": 1}
    assert _events(store) == ["run.started", "run.finished"]


@pytest.mark.parametrize("fail", [False, True])
def test_a_run_whose_process_died_or_that_failed_starts_anew_with_new_facts(store, fail):
    _start(store)
    if fail:
        with store.write() as tx:
            assert fail_run(tx, "a" * 32, now=LATER, reason="hung").tags == {"failure": "hung"}
    again = _start(store, now=LATER, facts={"seed": 2})
    assert (again.status, again.started, again.ended, again.facts) == (RunStatus.RUNNING, LATER, None, {"seed": 2})
    assert "failure" not in again.tags
    assert _events(store)[-1] == "run.started"


def test_a_failed_run_cannot_finish_and_a_finished_one_cannot_fail(store):
    _start(store)
    with store.write() as tx:
        fail_run(tx, "a" * 32, now=LATER, reason="hung")
    with pytest.raises(Conflict, match="FAILED and cannot finish"), store.write() as tx:
        finish_run(tx, "a" * 32, now=LATER, metrics={})
    _start(store, "b" * 32)
    with store.write() as tx:
        finish_run(tx, "b" * 32, now=LATER, metrics={})
        assert fail_run(tx, "b" * 32, now=LATER, reason="late").status is RunStatus.FINISHED


def test_the_event_is_undone_with_the_change(store):
    with pytest.raises(ZeroDivisionError), store.write() as tx:  # noqa: PT012 - the error comes after the change
        start_run(tx, run_id="c" * 32, experiment="e", name="n", user="u", now=NOW, facts={}, params={})
        raise ZeroDivisionError
    assert _events(store) == []
    with pytest.raises(NotFound), store.read() as tx:
        tx.runs.get("c" * 32)


def test_a_finished_run_is_a_trace_whose_ids_follow_from_its_own(store):
    _start(store, facts={"dataset": "churn", "dataset_version": 3})
    with store.write() as tx:
        finish_run(tx, "a" * 32, now=LATER, metrics={})
    trace_hex, span_hex = ids_of("a" * 32)
    with store.read() as tx:
        trace = tx.traces.get(f"tr-{trace_hex}")
        (text,) = tx.traces.spans([trace.trace_id])[trace.trace_id]
        run = tx.runs.get("a" * 32)
    assert (trace.state, trace.started, trace.duration_ms) == (TraceState.OK, NOW, 300_000)
    assert (trace.experiment_id, trace.metadata[RUN_KEY]) == (run.experiment_id, "a" * 32)
    span = span_of(trace.trace_id, json.loads(text))
    assert (span.span_id, span.parent_id, span.status) == (span_hex, None, "OK")
    told = attributes_of(span.content)
    assert told["homeostat.run_id"] == "a" * 32
    assert told["homeostat.dataset_version"] == 3


@pytest.mark.parametrize("run_id", ["0" * 32, "my run", ""])
def test_a_run_whose_id_is_no_trace_id_has_one_that_follows_from_it(run_id):
    trace_hex, span_hex = ids_of(run_id)
    assert (len(bytes.fromhex(trace_hex)), len(bytes.fromhex(span_hex))) == (16, 8)
    assert ids_of(run_id) == (trace_hex, span_hex)
    assert int(trace_hex, 16)
