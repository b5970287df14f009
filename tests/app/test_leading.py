import threading
from datetime import UTC, datetime

import pytest

from homeostat.app.leading import TERM_S, Lease, keep_leading, wait_to_lead
from homeostat.core.errors import Unreachable
from homeostat.retrain.simulated_time import SimulatedClock
from homeostat.storage.sql.store import open_memory_store

CLOCK = SimulatedClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def store():
    opened = open_memory_store()
    yield opened
    opened.close()


class Ticking:
    """A monotonic clock of one machine; where it begins says nothing."""

    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def lease(store):
    def make(node, at=0.0):
        clock = Ticking(at)
        return Lease(store, model="churn", node=node, clock=CLOCK, monotonic=clock), clock

    return make


def takeovers(store):
    with store.read() as tx:
        return [event.payload for event in tx.audit.events() if event.kind == "loop.taken_over"]


def test_one_leads_and_the_other_takes_over_when_it_has_seen_no_beat_for_the_whole_term(store, lease):
    (first, first_clock), (second, second_clock) = lease("a", at=1e6), lease("b", at=5.0)
    assert first.ask()
    assert not second.ask()
    second_clock.at += TERM_S - 0.1
    assert not second.ask()
    first_clock.at += 2.0
    assert first.ask()  # a beat, which the other sees at its next look
    second_clock.at += TERM_S - 0.1
    assert not second.ask()
    second_clock.at += TERM_S - 0.1
    assert not second.ask()
    second_clock.at += 0.1
    assert second.ask()
    assert second.is_sure
    assert takeovers(store) == [{"from": "a", "by": "b"}]
    assert not first.ask()
    assert not first.is_sure


def test_who_cannot_renew_is_sure_no_more_before_another_can_have_it(lease):
    (first, first_clock), (second, second_clock) = lease("a"), lease("b")
    assert not first.is_sure
    assert first.ask()
    assert not second.ask()  # sees the beat at the same moment: the earliest that it can
    for _ in range(99):
        first_clock.at += 0.1
        second_clock.at += 0.1
        assert not second.ask() or not first.is_sure
    second_clock.at += 0.2
    assert second.ask()


def test_the_same_node_has_it_at_once_and_so_has_anybody_when_it_was_released(store, lease):
    before, _ = lease("a")
    assert before.ask()
    anew, _ = lease("a")
    assert anew.ask()
    anew.release()
    assert not anew.is_sure
    assert not anew.ask()
    other, _ = lease("b")
    assert other.ask()
    anew.release()  # not its own any more
    assert other.ask()
    assert takeovers(store) == []


def test_a_leader_that_lost_the_lease_is_told_once(lease):
    (first, _), (second, second_clock) = lease("a"), lease("b")
    stop, told = threading.Event(), []
    assert wait_to_lead(first, stop)
    assert not second.ask()
    second_clock.at += TERM_S
    assert second.ask()
    keep_leading(first, stop, on_lost=lambda: told.append("lost"))
    assert told == ["lost"]


def test_a_database_that_is_away_is_asked_again(lease, caplog):
    first, _ = lease("a")
    stop, asked = threading.Event(), []

    class Away:
        def ask(self):
            asked.append(1)
            if len(asked) == 1:
                raise Unreachable("the database does not answer")
            return first.ask()

    assert wait_to_lead(Away(), stop)
    assert "cannot ask for the lease" in caplog.text
    stop.set()
    assert not wait_to_lead(first, stop)
