from datetime import UTC, datetime, timedelta

import pytest

from homeostat.audit.log import record
from homeostat.core.records.cycles import Cycle
from homeostat.retrain.cycle import CycleRequest
from homeostat.retrain.journal import CycleJournal
from homeostat.storage.sql.store import open_memory_store
from homeostat.testing.serving import FixedClock

NOW = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def store():
    made = open_memory_store()
    yield made
    made.close()


def journal(store, clock, cycle_id="c1"):
    with store.write() as tx:
        if tx.cycles.find(cycle_id) is None:
            tx.cycles.put(Cycle(cycle_id=cycle_id, model="m", trigger="manual", because="asked", started=NOW))
    request = CycleRequest(cycle_id=cycle_id, model="m", trigger="manual", because="asked")
    return CycleJournal(request=request, store=store, clock=clock, actor="ann")


def cycle(store, cycle_id="c1"):
    with store.read() as tx:
        return tx.cycles.get(cycle_id)


def test_a_stage_that_is_repeated_after_a_crash_was_asked_for_when_it_first_was(store):
    clock = FixedClock(NOW)
    assert journal(store, clock).asked("approval") == NOW
    clock.advance(HOUR)
    assert journal(store, clock).asked("approval") == NOW
    assert journal(store, clock, "c2").asked("approval") == NOW + HOUR
    with store.read() as tx:
        assert [event.subject for event in tx.audit.events()] == ["cycle:c1", "cycle:c2"]


def test_an_event_is_written_once_a_cycle_whatever_is_repeated(store):
    one = journal(store, FixedClock(NOW))
    for payload in ({"version": 1}, {"version": 1}, {"version": 2}):
        with store.write() as tx:
            one.record(tx, "cycle.promoted", payload)
    with store.read() as tx:
        (event,) = tx.audit.events()
    assert (event.actor, event.kind, event.subject) == ("ann", "cycle.promoted", "cycle:c1")
    assert event.payload == {"model": "m", "version": 1}
    assert event.key == one.key("cycle.promoted")


def test_a_later_stage_forgets_neither_run_nor_version(store):
    one = journal(store, FixedClock(NOW))
    one.stage("gate", run_id="r1")
    one.stage("registered", version=3)
    one.stage("canary 10%")
    found = cycle(store)
    assert (found.stage, found.run_id, found.version) == ("canary 10%", "r1", 3)


def test_what_is_noted_goes_with_its_transaction(store):
    one = journal(store, FixedClock(NOW))

    def dies():
        with store.write() as tx:
            one.note(tx, "opened", run_id="r1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        dies()
    assert (cycle(store).stage, cycle(store).run_id) == ("started", None)


@pytest.mark.parametrize(
    ("met", "begun"),
    [
        ([], 9 * HOUR),
        (["canary0"], HOUR),
        (["shadow", "canary0"], HOUR),
        (["canary0", "shadow"], HOUR),  # clocks may jump: the earliest counts
        (["canary1"], 9 * HOUR),  # no first step
    ],
)
def test_a_version_has_begun_when_it_first_met_traffic(store, met, begun):
    clock = FixedClock(NOW)
    one = journal(store, clock)
    for name in met:
        clock.advance(HOUR)
        with store.write() as tx:
            record(tx, "route.changed", subject="m", actor="ann", time=clock.now(), key=one.key(name))
    assert one.begun(NOW + 9 * HOUR) == NOW + begun


def test_a_cycle_that_was_called_off_says_by_whom(store):
    one = journal(store, FixedClock(NOW))
    assert one.cancelled() is None
    with store.write() as tx:
        tx.cycles.put(
            Cycle(cycle_id="c1", model="m", trigger="manual", because="asked", started=NOW, options={"cancel": "bob"})
        )
    assert one.cancelled() == "cancelled by bob"
