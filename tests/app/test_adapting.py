"""A split that follows rewards, as the loop moves it."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from homeostat.app.adapting import LEAST_MOVE, follow_rewards
from homeostat.app.loop import Loop
from homeostat.app.project import load
from homeostat.app.wiring import open_house
from homeostat.audit.log import verify
from homeostat.core.records.registry import ModelVersion
from homeostat.core.records.routes import Route, Segment, Split
from homeostat.registry.routing import promote, send_traffic, set_rules
from homeostat.registry.shares import move_shares, split_began
from homeostat.retrain.simulated_time import SimulatedClock
from homeostat.serve.router import arm
from homeostat.testing.serving import BINARY
from homeostat.train.signature import to_json

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SEED = 11
RIGHT = {1: 0.6, 2: 0.8, 3: 0.6}
EVEN = Split(shares={1: 50.0, 2: 50.0}, policy="thompson", reward="correct")


@pytest.fixture
def house(tmp_path):
    (tmp_path / "homeostat.yaml").write_text("model: m\ntask: binary\ndata: {source: rows.csv, target: y}\n")
    made = open_house(load(tmp_path / "homeostat.yaml"), writer_id="test", actor="homeostat", clock=SimulatedClock(NOW))
    with made.store.write() as tx:
        for number in RIGHT:
            version = ModelVersion(
                model="m",
                version=number,
                run_id=f"run{number}",
                created=NOW,
                location=f"runs/{number}/model",
                digests={},
                signature=to_json(BINARY),
                lineage={},
            )
            tx.models.add(version)
    promote(store=made.store, model="m", version=1, actor="ann", now=NOW, force="a test")
    yield made
    made.store.close()


def rules(house, **what):
    return set_rules(store=house.store, model="m", actor="ann", now=house.clock.now(), force="a test", **what)


def route(house) -> Route:
    with house.store.read() as tx:
        return tx.routes.get("m")


def traffic(house, requests: int, *, rng) -> None:
    """Ask as customers would, by the route as it is, and tell what was right a moment later."""
    shared = route(house).split
    at = house.clock.now() + timedelta(seconds=1)
    predictions, labels = [], []
    for _ in range(requests):
        name = f"r{rng.getrandbits(48):x}"
        version = arm("m", shared, f"request:{name}")
        is_right = rng.random() < RIGHT[version]
        known = {"model": "m", "request_id": name, "row": 0, "received": at}
        role = "champion" if version == 1 else "canary"
        answer = {"version": version, "route": role, "status": "ok", "latency_ms": 1.0, "prediction": "yes"}
        predictions.append({**known, **answer})
        labels.append({**known, "value": "yes" if is_right else "no", "label_id": name})
    house.records.write("predictions", predictions)
    house.records.write("labels", labels)
    house.clock.advance(at + timedelta(seconds=1))


def events(house):
    with house.store.read() as tx:
        return tx.audit.events(kinds=["route.changed"])


def test_shares_follow_the_rewards_and_the_audit_log_says_why(house):
    rng = random.Random(SEED)
    rules(house, split=EVEN)
    assert follow_rewards(house, now=house.clock.now()) is None
    told = []
    for _ in range(4):
        traffic(house, 150, rng=rng)
        moved = follow_rewards(house, now=house.clock.now())
        told.append(route(house).split.shares[2])
        assert follow_rewards(house, now=house.clock.now()) is None, "nothing has come since"
    print(f"seed {SEED}: {told}")
    assert told[-1] > 90.0
    assert route(house).split.shares[1] >= 5.0
    assert moved is None or moved.generation == route(house).generation
    last = events(house)[-1]
    assert last.actor == "homeostat"
    assert last.payload["split"]["policy"] == "thompson"
    assert "version 2:" in last.payload["because"]
    assert "best with probability" in last.payload["because"]
    assert verify(house.store) > 0


def test_the_loop_moves_the_shares_when_labels_have_come(house):
    loop = Loop(house, workflow_database_url="", probe=None, compact=lambda: None, replay=False)
    rules(house, split=EVEN)
    traffic(house, 200, rng=random.Random(SEED))
    loop._look(house.clock.now())
    assert route(house).split.shares[2] > 50.0 + LEAST_MOVE


def test_three_versions_keep_their_floors(house):
    rules(house, split=Split(shares={1: 30.0, 2: 40.0, 3: 30.0}, policy="thompson", reward="correct", floor=10.0))
    traffic(house, 900, rng=random.Random(SEED))
    follow_rewards(house, now=house.clock.now())
    shares = route(house).split.shares
    assert min(shares.values()) >= 10.0
    assert max(shares, key=shares.get) == 2
    assert sum(shares.values()) == pytest.approx(100.0)


def test_a_fixed_split_stays_as_it_is(house):
    rules(house, split=Split(shares={1: 50.0, 2: 50.0}))
    traffic(house, 300, rng=random.Random(SEED))
    before = route(house)
    assert follow_rewards(house, now=house.clock.now()) is None
    assert route(house) == before


def test_what_a_person_sets_meanwhile_stands(house):
    rules(house, split=EVEN)
    read = route(house)
    rules(house, split="none")
    move = {"shares": {1: 10.0, 2: 90.0}, "actor": "homeostat", "now": NOW, "because": "rewards"}
    assert move_shares(store=house.store, route=read, **move) is None
    assert route(house).split is None


def test_rewards_count_from_when_all_versions_were_shared_out_by_them(house):
    began = []

    def note(*, change):
        house.clock.advance(house.clock.now() + timedelta(hours=1))
        change()
        with house.store.read() as tx:
            began.append(split_began(tx, route(house)))

    note(change=lambda: rules(house, split=Split(shares={1: 50.0, 2: 50.0})))
    note(change=lambda: rules(house, split=EVEN))
    note(change=lambda: rules(house, segments=[Segment(when={"key": "a"}, version=2)]))
    note(
        change=lambda: send_traffic(
            store=house.store, model="m", actor="ann", now=house.clock.now(), shadow=3, force="a test"
        )
    )
    three = Split(shares={1: 40.0, 2: 40.0, 3: 20.0}, policy="thompson", reward="correct")
    note(change=lambda: rules(house, split=three))
    note(change=lambda: rules(house, split=EVEN))
    note(change=lambda: promote(store=house.store, model="m", version=2, actor="ann", now=house.clock.now(), force="a"))
    note(change=lambda: rules(house, split=EVEN))
    hours = [None if each is None else (each - NOW) // timedelta(hours=1) for each in began]
    # two of the three were in it before the third came
    assert hours == [None, 2, 2, 2, 5, 2, None, 8]
