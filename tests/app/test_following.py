"""How a server follows the routes, whatever does not load."""

import asyncio
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from homeostat.app import following
from homeostat.app.environments import BeingBuilt
from homeostat.app.following import RouteFollower, beat_on
from homeostat.audit.log import record, verify
from homeostat.core.errors import AuditBroken, Unreachable
from homeostat.core.records.registry import ModelVersion
from homeostat.core.records.routes import Route
from homeostat.registry.health import replace_unhealthy_champion, tell_unhealthy, why_unhealthy
from homeostat.registry.routing import promote, roll_back
from homeostat.registry.workers import await_workers
from homeostat.serve.forgets import Forgets
from homeostat.storage.sql.store import open_memory_store
from homeostat.testing.serving import ROW, PlaneInThread, Raises, Says, Versions, in_threads

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class Clock:
    time: datetime = NOW

    def now(self):
        return self.time


@dataclass
class Server:
    """A worker without a process: a store, a plane whose versions load or do not, and its follower."""

    broken: dict = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self):
        self.store = open_memory_store()
        self.versions = Versions({1: Says(0.1), 2: Says(0.2), 3: Says(0.3), 4: Raises()})
        self.before_load = None
        self.plane = PlaneInThread(self.load_in_time, Forgets(), self.clock)
        house = SimpleNamespace(store=self.store, clock=self.clock)
        self.follower = RouteFollower(house, self.plane, worker_id="worker-0")

    async def load_in_time(self, model, version):
        if self.before_load is not None:
            await self.before_load(version)
        return await in_threads(self.load)(model, version)

    def load(self, model, version):
        if version in self.broken:
            raise self.broken[version]
        return self.versions(model, version)

    def route(self, **what):
        with self.store.write() as tx:
            return tx.routes.put(Route(model="m", generation=0, **what))

    def register(self):
        with self.store.write() as tx:
            for number in range(1, 5):
                tx.models.add(
                    ModelVersion(
                        model="m",
                        version=number,
                        run_id=f"run{number}",
                        created=NOW,
                        location=f"runs/{number}/model",
                        digests={},
                        signature={"task": "binary"},
                        lineage={},
                    )
                )

    def promote(self, version):
        return promote(store=self.store, model="m", version=version, actor="ann", now=NOW, force="a test")

    def look(self, times=1):
        for _ in range(times):
            self.follower.look()

    def worker(self):
        with self.store.read() as tx:
            (found,) = tx.routes.workers(alive_since=datetime(2000, 1, 1, tzinfo=UTC))
        return found

    def events(self):
        with self.store.read() as tx:
            return tx.audit.events()

    @property
    def serves(self):
        return self.plane.routes["m"].versions


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(following, "_RETRY_S", 0.0)
    made = Server()
    yield made
    made.plane.close(5)
    made.store.close()


def test_it_switches_and_says_so(server):
    server.look()
    assert server.worker().generations == {}
    server.route(champion=1)
    server.look()
    server.route(champion=1, canary=2, canary_percent=10.0)
    server.look()
    assert server.serves == (1, 2)
    assert server.worker().generations == {"m": 2}
    server.look(3)
    assert server.versions.loads == [1, 2]


@pytest.mark.parametrize(
    "error", [AuditBroken("its files were changed"), RuntimeError("no such module"), SystemExit(3)]
)
def test_a_version_that_does_not_load_leaves_the_old_route_and_is_told_after_three_tries(server, error):
    server.route(champion=1)
    server.look()
    server.broken[2] = error
    server.route(champion=2)
    server.look(2)
    assert server.events() == []
    server.look(5)
    assert server.serves == (1,)
    assert server.worker().generations == {"m": 1}
    (event,) = server.events()
    assert event.kind == "route.not_followed"
    assert event.payload["generation"] == 2
    assert (error.message if isinstance(error, AuditBroken) else str(error)) in event.payload["error"]


def test_an_environment_that_is_being_built_is_waited_for_without_a_word(server):
    server.route(champion=1)
    server.look()
    server.broken[2] = BeingBuilt("the environment is being built")
    server.route(champion=2)
    server.look(10)
    assert server.serves == (1,)
    assert server.worker().generations == {"m": 1}
    assert server.events() == []
    server.broken.clear()
    server.look()
    assert server.serves == (2,)


def test_what_failed_for_a_moment_is_tried_again(server):
    server.broken[1] = OSError("the store of files is away")
    server.route(champion=1)
    server.look()
    assert server.plane.routes == {}
    server.broken.clear()
    server.look()
    assert server.serves == (1,)
    assert server.worker().generations == {"m": 1}


def test_a_new_server_tries_again_what_failed_for_a_moment_before_it_listens(server):
    """As where its model's process is killed while it loads."""
    server.route(champion=1)
    fails = iter([RuntimeError("killed")])
    load = server.load

    def once(model, version):
        if (error := next(fails, None)) is not None:
            raise error
        return load(model, version)

    server.plane.close(5)
    server.plane = PlaneInThread(once, Forgets(), server.clock)
    server.follower = RouteFollower(
        SimpleNamespace(store=server.store, clock=server.clock), server.plane, worker_id="worker-0"
    )
    server.follower.look_first()
    assert server.serves == (1,)
    assert server.events() == []


def test_a_new_server_follows_a_route_that_comes_while_it_loads_before_it_listens(server):
    """As where a cycle puts a shadow beside the champion while a killed worker starts again: it listened, and had nobody to answer."""
    server.route(champion=1)
    came = threading.Event()

    async def slowly(_version):
        if not came.is_set():
            came.set()
            await asyncio.to_thread(server.route, champion=1, shadow=2)
            await asyncio.sleep(60)

    server.before_load = slowly
    server.follower.look_first()
    assert server.serves == (1, 2)


@pytest.mark.parametrize(("error", "tries"), [(RuntimeError("broken"), 3), (BeingBuilt("is being built"), 1)])
def test_a_new_server_listens_though_a_model_cannot_be_loaded(server, monkeypatch, error, tries):
    tried = []
    monkeypatch.setattr(server.follower, "look", lambda look=server.follower.look: tried.append(look()))
    server.broken[1] = error
    server.route(champion=1)
    server.follower.look_first()
    assert server.plane.routes == {}
    assert len(tried) == tries
    assert [event.kind for event in server.events()] == (["route.not_followed"] if tries == 3 else [])


def test_a_new_server_answers_by_the_champion_though_the_canary_is_broken(server):
    server.broken[2] = RuntimeError("no")
    server.route(champion=1, canary=2, canary_percent=50.0)
    server.look()
    assert server.serves == (1,)
    assert server.worker().generations == {}, "it has not switched to that route"
    server.broken.clear()
    server.look()
    assert server.serves == (1, 2)
    assert server.worker().generations == {"m": 1}


def test_a_clock_that_is_set_back_neither_stops_the_heart_nor_breaks_the_chain(server):
    server.route(champion=1)
    server.look()
    for hours in (1, 2, -5):
        with server.store.write() as tx:
            record(tx, "test.happened", subject="clock", actor="ann", time=server.clock.now())
        server.clock.time = NOW - timedelta(hours=hours)
        server.look()
        assert server.worker().heartbeat == server.clock.now()
    assert verify(server.store) == 3


def test_a_server_that_loads_for_long_is_seen_to_live(server, monkeypatch):
    monkeypatch.setattr(following, "_BEAT_S", 0.001)
    loading, go, stop = threading.Event(), threading.Event(), threading.Event()

    async def slow(_version):
        loading.set()
        assert await asyncio.get_running_loop().run_in_executor(None, go.wait, 20)

    server.before_load = slow
    server.route(champion=1)
    looking = threading.Thread(target=server.look)
    beating = threading.Thread(target=beat_on, args=(server.follower, stop))
    looking.start()
    assert loading.wait(20)
    server.clock.time = NOW + timedelta(minutes=1)
    beating.start()
    seen = threading.Event()
    while not seen.is_set():
        with server.store.read() as tx:
            if any(worker.heartbeat == server.clock.now() for worker in tx.routes.workers(alive_since=NOW)):
                seen.set()
    assert server.worker().generations == {}
    go.set()
    stop.set()
    looking.join(20)
    beating.join(20)
    assert server.serves == (1,)


def test_the_version_to_return_to_is_kept_unless_it_was_given_up(server):
    house = SimpleNamespace(store=server.store, clock=server.clock)
    server.follower = RouteFollower(house, server.plane, worker_id="worker-0", keeps_previous=True)
    server.register()
    for number in (1, 2):
        server.promote(number)
        server.look()
    assert server.plane.standby("m") == 1
    roll_back(store=server.store, model="m", actor="ann", now=NOW, reason="a test")
    server.look()
    assert server.serves == (1,)
    assert server.versions.loads == [1, 2]
    assert server.plane.standby("m") is None

    promote(store=server.store, model="m", version=2, actor="ann", now=NOW, force="a test")
    tell_unhealthy(server.store, model="m", version=1, reason="it dies", worker_id="worker-0", now=NOW)
    server.look()
    assert server.plane.standby("m") is None


def test_a_roll_back_does_not_wait_for_what_is_still_being_loaded(server):
    server.route(champion=1)
    server.look()
    loading, ended = threading.Event(), threading.Event()

    async def endless(version):
        if version == 2:
            loading.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    server.before_load = endless
    server.route(champion=2)
    looking = threading.Thread(target=server.look)
    looking.start()
    assert loading.wait(20)
    server.route(champion=1)
    looking.join(20)
    assert ended.wait(20)
    assert server.worker().generations == {"m": 1}, "it has not switched to what it gave up"
    server.look()
    assert server.serves == (1,)
    assert server.worker().generations == {"m": 3}
    assert server.events() == [], "nothing has failed"


def test_a_store_that_is_away_does_not_end_a_switch(server):
    server.route(champion=1)
    server.look()
    route = server.route(champion=2)
    store, server.follower._house.store = server.follower._house.store, None
    assert not server.follower._is_superseded(route)
    server.follower._house.store = store
    server.look()
    assert server.serves == (2,)


def test_a_version_that_fails_its_warm_up_is_told_unhealthy_and_not_tried_again(server):
    server.register()
    server.promote(1)
    server.look()
    server.plane.answer("m", [ROW])
    refused = server.promote(4)
    server.look(5)
    assert server.serves == (1,)
    assert server.versions.loads == [1, 4]
    told = "failed its warm-up on rows of recent requests: its code raised ZeroDivisionError"
    (unhealthy,) = [event for event in server.events() if event.kind == "model_version.unhealthy"]
    assert unhealthy.payload == {"version": 4, "because": f"it {told}"}
    clock = SimpleNamespace(now=server.clock.now)
    with pytest.raises(Unreachable, match=f"worker-0 cannot serve 'm' by its new route: version 4 of model 'm' {told}"):
        await_workers(server.store, clock=clock, model="m", generation=refused.generation, pause=lambda _: None)

    back = replace_unhealthy_champion(store=server.store, model="m", actor="ann", now=NOW)
    server.look()
    assert back.champion == 1
    assert server.worker().generations == {"m": back.generation}
    server.promote(2)
    server.look()
    assert server.serves == (2,)


def test_a_champion_that_was_brought_back_answers_whatever_it_says_to_the_rows_of_today(server):
    server.register()
    server.promote(4)
    server.look()
    assert server.serves == (4,), "a made-up row is no reason"
    server.promote(1)
    server.look()
    server.plane.answer("m", [ROW])
    roll_back(store=server.store, model="m", actor="ann", now=NOW, reason="a test")
    server.look()
    assert server.serves == (4,)
    assert not [event for event in server.events() if event.kind == "model_version.unhealthy"]


def test_a_canary_that_fails_its_warm_up_leaves_the_champion_alone(server):
    server.register()
    server.promote(1)
    server.look()
    server.plane.answer("m", [ROW])
    server.route(champion=1, canary=4, canary_percent=50.0)
    server.look(3)
    assert server.serves == (1,)
    assert why_unhealthy(server.store, model="m", version=4)
