"""What the loop does when there is news, and what it leaves undone when there is none."""

import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from homeostat.app.compacting import beside, compact
from homeostat.app.loop import COMPACT, QUIET, Loop
from homeostat.app.project import load
from homeostat.app.wiring import open_house
from homeostat.core.records.registry import ModelVersion
from homeostat.registry.health import tell_unhealthy
from homeostat.registry.routing import promote
from homeostat.retrain.simulated_time import SimulatedClock

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ROW = {"model": "m", "request_id": "r1", "row": 0, "received": NOW, "version": 1, "route": "champion", "status": "ok"}


@dataclass
class Cycles:
    """Stands for the durable workflows."""

    started: list = field(default_factory=list)

    def start(self, request):
        self.started.append(request.trigger)

    def lost(self, _cycle_id):
        return None


@dataclass
class Counted:
    """A record that counts how often it is read."""

    inner: object
    reads: int = 0

    def read(self, *args, **kwargs):
        self.reads += 1
        return self.inner.read(*args, **kwargs)

    def __getattr__(self, name):
        return getattr(self.inner, name)


@pytest.fixture
def house(tmp_path):
    (tmp_path / "homeostat.yaml").write_text("model: m\ntask: binary\ndata: {source: rows.csv, target: y}\n")
    made = open_house(load(tmp_path / "homeostat.yaml"), writer_id="test", actor="ann", clock=SimulatedClock(NOW))
    yield replace(made, records=Counted(made.records))
    made.store.close()


@pytest.fixture
def loop(house):
    compacted = []
    seconds = [0.0]
    made = Loop(
        house,
        workflow_database_url="",
        probe=None,
        compact=lambda: compacted.append(1),
        replay=False,
        monotonic=lambda: seconds[0],
    )
    made.seconds = seconds
    made.cycles = Cycles()
    made.compacted = compacted
    return made


def reads_of_a_tick(loop, house) -> int:
    before = house.records.reads
    loop.tick()
    return house.records.reads - before


def test_a_record_that_has_not_changed_is_not_read_again(loop, house):
    assert reads_of_a_tick(loop, house) > 0
    assert loop.cycles.started == ["first"]
    reads_of_a_tick(loop, house)  # the cycle that was asked for is news
    assert [reads_of_a_tick(loop, house) for _ in range(3)] == [0, 0, 0]
    assert loop.ticks == 5
    house.records.write("predictions", [ROW])
    assert reads_of_a_tick(loop, house) > 0
    assert reads_of_a_tick(loop, house) == 0


def test_looks_that_take_long_take_one_second_in_twenty(loop, house):
    watch = loop._watch
    loop._watch = lambda *args, **how: (watch(*args, **how), loop.seconds.__setitem__(0, loop.seconds[0] + 3.25))
    loop.tick()
    house.records.write("predictions", [ROW])
    assert reads_of_a_tick(loop, house) > 0  # a first look loads what it needs, and is no measure
    house.records.write("predictions", [ROW])
    loop.seconds[0] += 56.9
    assert reads_of_a_tick(loop, house) == 0
    assert loop.ticks == 2  # it has not looked at the news
    loop.seconds[0] += 0.2
    assert reads_of_a_tick(loop, house) > 0


def test_a_champion_that_was_given_up_is_replaced_while_looks_rest(loop, house):
    with house.store.write() as tx:
        for number in (1, 2):
            tx.models.add(
                ModelVersion(
                    model="m", version=number, run_id=f"r{number}", created=NOW, location="x", digests={"f": "d"},
                    signature={"task": "binary"}, lineage={},
                )
            )  # fmt: skip
    for number in (1, 2):
        promote(store=house.store, model="m", version=number, actor="ann", now=NOW, force="a test")
    loop._look = lambda now: loop.seconds.__setitem__(0, loop.seconds[0] + 3.25)
    for _ in range(2):
        house.records.write("predictions", [ROW])
        loop.tick()
    tell_unhealthy(house.store, model="m", version=2, reason="it died", worker_id="w", now=NOW)
    looked = loop.ticks
    loop.tick()
    assert loop.ticks == looked  # it rests
    with house.store.read() as tx:
        assert tx.models.alias("m", "champion") == 1


def test_time_alone_is_news_after_a_quiet_minute(loop, house):
    loop.tick()
    loop.tick()
    house.clock.advance(NOW + QUIET - timedelta(seconds=1))
    assert reads_of_a_tick(loop, house) == 0
    house.clock.advance(NOW + QUIET)
    assert reads_of_a_tick(loop, house) > 0


def test_the_record_is_compacted_now_and_then(loop, house):
    for seconds in (0, 1, COMPACT.total_seconds(), COMPACT.total_seconds() + 1):
        house.clock.advance(NOW + timedelta(seconds=seconds))
        loop.tick()
    assert len(loop.compacted) == 2


def test_closed_segments_are_moved_by_a_process_of_its_own(house, caplog):
    project = house.root / "homeostat.yaml"
    house.records.write("predictions", [ROW])
    compact(house.records, house.root / "nowhere.yaml")  # nothing is closed: no process starts, so none can fail
    assert caplog.records == []
    house.records.seal()
    compact(house.records, project)
    assert not house.records.is_due()
    assert house.records.read("predictions", "m")["request_id"].to_list() == ["r1"]
    assert caplog.records == []


def test_the_loop_does_not_wait_for_a_compaction_and_one_is_under_way_at_a_time(caplog):
    began, go = threading.Semaphore(0), threading.Event()

    def work():
        began.release()
        assert go.wait(10)
        raise OSError("the disk is away")

    begin = beside(work)
    begin()
    begin()
    assert began.acquire(timeout=10)
    go.set()
    for thread in threading.enumerate():
        if thread.name == "compact":
            thread.join(10)
    assert "the disk is away" in caplog.text
    assert not began.acquire(blocking=False)
    begin()
    assert began.acquire(timeout=10)


def test_a_compaction_that_fails_is_logged_and_loses_nothing(house, caplog):
    house.records.write("predictions", [ROW])
    house.records.seal()
    compact(house.records, house.root / "nowhere.yaml")
    assert "the record was not compacted" in caplog.text
    assert "nowhere.yaml" in caplog.text
    assert house.records.is_due()
    assert house.records.read("predictions", "m").height == 1
