from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from homeostat.audit.log import verify
from homeostat.core.errors import Unreachable
from homeostat.core.records.routes import Worker
from homeostat.registry.workers import await_workers, tell_unable
from homeostat.retrain.simulated_time import SimulatedClock
from homeostat.storage.sql.store import open_memory_store

NOW = datetime(2026, 1, 2, tzinfo=UTC)
WORKER = Worker(worker_id="worker-0", pid=1, host="here", started=NOW, heartbeat=NOW, generations={"churn": 1})


@pytest.fixture
def store():
    opened = open_memory_store()
    yield opened
    opened.close()


def beat(store, worker):
    with store.write() as tx:
        tx.routes.beat(worker)


def wait(store, *, pause=lambda _s: None, clock=None):
    return await_workers(store, clock=clock or SimulatedClock(NOW), model="churn", generation=2, pause=pause)


def test_no_worker_is_nobody_to_wait_for(store):
    assert wait(store) == []
    beat(store, replace(WORKER, heartbeat=NOW - timedelta(minutes=1)))
    assert wait(store) == []


def test_it_waits_until_the_last_has_switched(store):
    beat(store, replace(WORKER, generations={"churn": 2}))
    beat(store, replace(WORKER, worker_id="worker-1"))
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            beat(store, replace(WORKER, worker_id="worker-1", generations={"churn": 3}))

    assert wait(store, pause=pause) == ["worker-0", "worker-1"]
    assert len(pauses) == 3


def test_one_that_lives_and_does_not_switch_is_named_when_the_patience_is_over(store):
    clock = SimulatedClock(NOW)
    beat(store, WORKER)

    def pause(_seconds):
        clock.advance(clock.now() + timedelta(seconds=7))
        beat(store, replace(WORKER, heartbeat=clock.now()))

    with pytest.raises(Unreachable, match="worker-0 did not switch 'churn' to generation 2"):
        wait(store, pause=pause, clock=clock)


def test_one_that_says_it_cannot_is_not_waited_for(store):
    beat(store, WORKER)
    for _ in range(2):
        tell_unable(store, worker_id="worker-0", model="churn", generation=2, error="no module named x", now=NOW)
    with pytest.raises(Unreachable, match="worker-0 cannot serve 'churn' by its new route: no module named x"):
        wait(store)
    assert verify(store) == 1


def test_what_another_worker_or_another_generation_could_not_does_not_matter(store):
    beat(store, replace(WORKER, generations={"churn": 2}))
    tell_unable(store, worker_id="worker-0", model="churn", generation=1, error="it was broken", now=NOW)
    tell_unable(store, worker_id="worker-9", model="churn", generation=2, error="it is dead", now=NOW)
    assert wait(store) == ["worker-0"]
