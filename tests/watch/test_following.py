"""From stored windows to incidents and their events; and a person who says that the change is known."""

from datetime import UTC, datetime, timedelta

import pytest

from homeostat.core.errors import NotFound
from homeostat.core.records.watching import WindowVerdict
from homeostat.storage.sql.store import open_memory_store
from homeostat.watch.acknowledging import acknowledge, acknowledged_since
from homeostat.watch.following import follow_incidents
from homeostat.watch.settings import IncidentSettings

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class World:
    def __init__(self, **settings):
        self.store = open_memory_store()
        self.settings = IncidentSettings(**settings)

    def window(self, at, *kinds, effect=0.4, importance=None):
        causes = [{"kind": kind, "state": "alarm", "because": f"{kind} {at}", "columns": ["a"]} for kind in kinds]
        drift = [{"column": "a", "method": "psi", "effect": effect, "alarm": 0.2}]
        verdict = {"causes": causes, "columns": drift, "predictions": drift, "decay": {"effect": 0.3, "low": 0.1}}
        stored = WindowVerdict(
            model="m", window_start=T0 + at * DAY, window_end=T0 + (at + 1) * DAY, revision=0, computed=T0, state="alarm",
            body={"version": 1, "verdict": verdict},
        )  # fmt: skip
        with self.store.write() as tx:
            tx.watch.add(stored)
            follow_incidents(tx, stored, importance=importance or {"a": 0.5}, settings=self.settings, actor="watch")

    def events(self):
        with self.store.read() as tx:
            return [
                (e.kind, e.payload["kind"], e.payload["is_told"]) for e in tx.audit.events() if "incident." in e.kind
            ]

    def incidents(self):
        with self.store.read() as tx:
            return tx.incidents.recent("m")


def test_each_kind_of_cause_has_its_own_story():
    world = World()
    world.window(0, "drift")
    world.window(1, "drift", "quality")
    world.window(2, "drift", "quality")
    assert world.events() == [("incident.opened", "drift", True), ("incident.opened", "quality", True)]
    drift = next(one for one in world.incidents() if one.kind == "drift")
    assert (drift.windows, drift.columns, drift.severity) == (3, ("a",), 1.0)  # 0.4 of 0.2, times one half


def test_what_is_less_severe_than_asked_for_is_kept_and_not_told():
    world = World(least="high")
    for at in range(2):
        world.window(at, "drift")
    assert world.events() == [("incident.opened", "drift", False)]


def test_calm_windows_end_it():
    world = World()
    for at in range(2):
        world.window(at, "performance")
    for at in (2, 3):
        world.window(at)
    assert [kind for kind, *_ in world.events()] == ["incident.opened", "incident.resolved"]
    assert world.incidents()[0].resolved is not None


def test_an_acknowledged_change_ends_what_is_open_and_is_remembered():
    world = World()
    for at in range(2):
        world.window(at, "performance")
    told = {"model": "m", "actor": "ann", "now": T0 + 5 * DAY, "since": T0 + 4 * DAY, "reason": "a new price list"}
    assert acknowledge(store=world.store, **told) == 1
    first = world.incidents()[0].incident_id
    with world.store.read() as tx:
        assert acknowledged_since(tx, "m") == T0 + 4 * DAY
        assert tx.audit.events(kinds=["change.acknowledged"])[0].payload["reason"] == "a new price list"
        assert tx.incidents.get(first[:8]).resolved == T0 + 5 * DAY
        with pytest.raises(NotFound):
            tx.incidents.get("nothing")
