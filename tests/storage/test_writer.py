import threading
from datetime import UTC, datetime

import pytest

from homeostat.audit.log import record, verify
from homeostat.core.errors import Conflict, InvalidInput, Unreachable
from homeostat.core.records.tracking import Run, RunStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Answers:
    """Collects what the writer answers, and waits for a number of answers."""

    def __init__(self):
        self.got = {}
        self._some = threading.Condition()

    def of(self, name):
        def done(result, error):
            with self._some:
                self.got[name] = (result, error)
                self._some.notify_all()

        return done

    def wait(self, count):
        with self._some:
            assert self._some.wait_for(lambda: len(self.got) >= count, timeout=30), self.got
        return self.got


def opens(run_id):
    def change(tx):
        run = Run(run_id=run_id, experiment_id="0", name="r", status=RunStatus.RUNNING, started=NOW)
        tx.runs.create(run)
        record(tx, "run.started", subject=f"run:{run_id}", actor="me", time=NOW)
        if run_id.startswith("bad"):
            raise Conflict(run_id)
        return run_id

    return change


def held(store, answers):
    """Keep the writer busy with one change, so that those queued next are committed together; return what lets it go on."""
    go_on, began = threading.Event(), threading.Event()

    def wait(_tx):
        began.set()
        assert go_on.wait(30)

    store.submit(wait, answers.of("held"))
    assert began.wait(30)
    return go_on


def test_changes_that_wait_are_committed_together_and_a_bad_one_fails_alone(store):
    answers = Answers()
    go_on = held(store, answers)
    names = ["one", "bad1", "two", "bad2", "three"]
    for name in names:
        store.submit(opens(name), answers.of(name))
    go_on.set()
    got = answers.wait(6)
    assert [got[name][0] for name in names] == ["one", None, "two", None, "three"]
    assert [type(got[name][1]) for name in names] == [type(None), Conflict, type(None), Conflict, type(None)]
    with store.read() as tx:
        assert {run.run_id for run in tx.runs.recent()} == {"one", "two", "three"}
        assert [event.subject for event in tx.audit.events()] == ["run:one", "run:two", "run:three"]
    assert verify(store) == 3


def test_a_bad_change_that_is_alone_fails_and_leaves_nothing(store):
    answers = Answers()
    store.submit(opens("bad"), answers.of("bad"))
    assert isinstance(answers.wait(1)["bad"][1], Conflict)
    store.submit(opens("good"), answers.of("good"))
    assert answers.wait(2)["good"] == ("good", None)
    with store.read() as tx:
        assert [run.run_id for run in tx.runs.recent()] == ["good"]


def test_a_value_that_no_database_keeps_is_the_callers_mistake_and_only_its_own(store):
    answers = Answers()
    go_on = held(store, answers)

    def too_large(tx):
        tx.runs.log_models("good", outputs=[("m", 2**70)])

    store.submit(opens("good"), answers.of("good"))
    store.submit(too_large, answers.of("large"))
    go_on.set()
    got = answers.wait(3)
    assert got["good"] == ("good", None)
    assert isinstance(got["large"][1], InvalidInput)


def test_what_was_answered_is_read_by_others_at_once(store):
    answers = Answers()
    store.submit(opens("x"), answers.of("x"))
    answers.wait(1)
    with store.read() as tx:
        assert tx.runs.head("x").name == "r"


def test_closing_writes_what_is_queued_and_then_takes_nothing(tmp_path):
    from homeostat.storage.sql.store import open_store

    store = open_store(f"sqlite:///{tmp_path}/a.db")
    answers = Answers()
    for number in range(50):
        store.submit(opens(f"r{number}"), answers.of(number))
    store.close()
    assert len(answers.wait(50)) == 50
    with pytest.raises(Unreachable):
        store.submit(opens("late"), answers.of("late"))
    again = open_store(f"sqlite:///{tmp_path}/a.db")
    with again.read() as tx:
        assert len(tx.runs.recent(limit=100)) == 50
    again.close()


def test_an_answer_that_cannot_be_given_does_not_stop_the_writer(store, caplog):
    answers = Answers()

    def broken(_result, _error):
        raise RuntimeError("nobody listens")

    store.submit(opens("a"), broken)
    store.submit(opens("b"), answers.of("b"))
    assert answers.wait(1)["b"] == ("b", None)
    assert "writer.done_failed" in caplog.text
