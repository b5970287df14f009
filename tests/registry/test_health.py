"""A version that was given up is told once, replaced where it is champion, and has another chance when it is promoted again."""

from datetime import UTC, datetime

import pytest

from homeostat.core.records.registry import ModelVersion
from homeostat.core.records.routes import Segment, Split
from homeostat.registry import health
from homeostat.registry.health import (
    replace_unhealthy_champion,
    take_unhealthy_out,
    tell_recovered,
    tell_unhealthy,
    why_unhealthy,
)
from homeostat.registry.routing import promote, roll_back, set_rules
from homeostat.storage.sql.store import open_memory_store

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def store():
    store = open_memory_store()
    with store.write() as tx:
        for number in (1, 2):
            tx.models.add(
                ModelVersion(
                    model="m", version=number, run_id=f"r{number}", created=NOW, location="x", digests={"f": "d"},
                    signature={"task": "binary"}, lineage={},
                )
            )  # fmt: skip
    return store


def put(store, version):
    promote(store=store, model="m", version=version, actor="ann", now=NOW, force="a test")


def given_up(store, version, worker="w0"):
    tell_unhealthy(store, model="m", version=version, reason="it died", worker_id=worker, now=NOW)


def test_two_workers_tell_once_and_the_champion_before_answers(store):
    put(store, 1)
    put(store, 2)
    given_up(store, 2)
    given_up(store, 2, "w1")
    with store.read() as tx:
        assert [event.actor for event in tx.audit.events(kinds=["model_version.unhealthy"])] == ["w0"]
    route = replace_unhealthy_champion(store=store, model="m", actor="homeostat", now=NOW)
    assert route is not None
    assert route.champion == 1
    assert replace_unhealthy_champion(store=store, model="m", actor="homeostat", now=NOW) is None
    with store.read() as tx:
        (event,) = tx.audit.events(kinds=["alias.rolled_back"])
    assert "it died" in event.payload["force"]


def test_two_that_replace_it_at_once_go_back_one_step(store, monkeypatch):
    with store.write() as tx:
        tx.models.add(
            ModelVersion(
                model="m", version=3, run_id="r3", created=NOW, location="x", digests={"f": "d"},
                signature={"task": "binary"}, lineage={},
            )
        )  # fmt: skip
    for version in (1, 2, 3):
        put(store, version)
    given_up(store, 3)

    def both(**given):
        """Another has read the same, and is faster."""
        roll_back(**given)
        return roll_back(**given)

    monkeypatch.setattr(health, "roll_back", both)
    route = replace_unhealthy_champion(store=store, model="m", actor="homeostat", now=NOW)
    assert route.champion == 2


def test_the_first_champion_stays_as_there_is_no_other(store):
    put(store, 1)
    given_up(store, 1)
    assert replace_unhealthy_champion(store=store, model="m", actor="homeostat", now=NOW) is None
    assert why_unhealthy(store, model="m", version=1) == "it died"


def test_a_healthy_champion_and_no_champion_are_left_alone(store):
    assert replace_unhealthy_champion(store=store, model="m", actor="homeostat", now=NOW) is None
    put(store, 1)
    assert replace_unhealthy_champion(store=store, model="m", actor="homeostat", now=NOW) is None


def test_who_promotes_it_again_gives_it_another_chance(store):
    put(store, 1)
    put(store, 2)
    given_up(store, 2)
    put(store, 2)
    assert why_unhealthy(store, model="m", version=2) is None
    given_up(store, 2)
    assert why_unhealthy(store, model="m", version=2) == "it died"


def test_a_version_of_a_segment_or_share_that_was_given_up_leaves_them_once(store):
    put(store, 1)
    rules = {"segments": [Segment(when={"key": "a"}, version=2)], "split": Split(shares={1: 50.0, 2: 50.0})}
    set_rules(store=store, model="m", actor="ann", now=NOW, force="a test", **rules)
    assert take_unhealthy_out(store=store, model="m", actor="homeostat", now=NOW) == []
    given_up(store, 2)
    assert take_unhealthy_out(store=store, model="m", actor="homeostat", now=NOW) == [2]
    assert take_unhealthy_out(store=store, model="m", actor="homeostat", now=NOW) == []
    with store.read() as tx:
        assert tx.routes.get("m").versions == (1,)


def test_only_a_champion_that_nobody_replaced_is_well_again_when_it_answers(store):
    put(store, 1)
    for version in (1, 2):
        given_up(store, version)
    assert replace_unhealthy_champion(store=store, model="m", actor="homeostat", now=NOW) is None
    for version in (2, 1, 1):
        tell_recovered(store, model="m", version=version, worker_id="w0", now=NOW)
    assert why_unhealthy(store, model="m", version=1) is None
    assert why_unhealthy(store, model="m", version=2) == "it died"
    with store.read() as tx:
        (event,) = tx.audit.events(kinds=["model_version.recovered"])
    assert (event.actor, event.payload) == ("w0", {"version": 1})


def test_one_that_somebody_can_replace_stays_unhealthy_until_it_is_replaced(store):
    put(store, 1)
    put(store, 2)
    given_up(store, 2)
    tell_recovered(store, model="m", version=2, worker_id="w0", now=NOW)
    assert why_unhealthy(store, model="m", version=2) == "it died"
    assert replace_unhealthy_champion(store=store, model="m", actor="homeostat", now=NOW).champion == 1
