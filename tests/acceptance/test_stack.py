"""The loop under `retrain.policy: stack`: every version is one package that the gate, the registry and serving know nothing special of."""

import pytest
from tests.acceptance.world import YAML, World

from homeostat.retrain.stacked import StackedModel
from homeostat.retrain.stacking import FITTED
from homeostat.train.package import read_package

STACK = (
    YAML.partition("retrain:")[0]
    + """\
retrain:
  policy: stack
  cooldown: 1d
  triggers: {performance: false, new_rows: 250}
  rollout: {shadow_requests: 0, canary: []}
"""
)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, yaml=STACK)
    yield made
    made.close()


def champion(world):
    """Return the champion's package as it is served, and whether its training fitted a member."""
    with world.house.store.read() as tx:
        version = tx.models.get("churn", world.champion)
        run = tx.runs.get(version.lineage["run_id"])
    return read_package(world.house.blobs.local(version.location)), run.params.get(FITTED)


def day(world):
    world.traffic(24)
    cycle = world.tick()
    return None if cycle is None else world.cycle(cycle.cycle_id)


def until_promoted(world, *, days=8):
    """Let days pass until a cycle is promoted, and return the cycles: on few labels the gate may want more before it believes."""
    found = []
    for _ in range(days):
        cycle = day(world)
        found += [] if cycle is None else [cycle]
        if cycle is not None and cycle.state.value == "promoted":
            return found
    pytest.fail("; ".join(cycle.outcome["because"] for cycle in found))


@pytest.mark.long
def test_weights_are_renewed_without_a_fit_and_a_change_brings_a_member(world):
    world.tick()
    plain, _ = champion(world)
    assert not isinstance(plain.model, StackedModel)
    calm = until_promoted(world)
    assert {cycle.trigger for cycle in calm} == {"new_rows"}
    stack, was_fitted = champion(world)
    assert isinstance(stack.model, StackedModel)
    assert (len(stack.model.members), was_fitted) == (1, "False")
    world.turned = True
    while len((stack := champion(world)[0]).model.members) < 2:
        until_promoted(world)
        assert world.champion < 8, "no member came of the change"
    world.traffic(1)  # the stack answers requests like any other version
    rows = world.house.records.read("predictions", "churn").filter(version=world.champion)
    assert rows.height > 0
    assert set(rows["status"]) == {"ok"}
    with world.house.store.read() as tx:
        versions = tx.models.versions("churn")
        assert all(tx.models.report(one.report_id).passed for one in versions if one.report_id)
