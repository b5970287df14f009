from datetime import timedelta

import pytest
from tests.retrain.worlds import START, folder_with_rules, moving_world, project

from homeostat.core.columns import Kind
from homeostat.core.errors import InvalidInput
from homeostat.core.records.cycles import CycleState
from homeostat.gate.settings import ChampionRule, GateSettings
from homeostat.retrain.backtest import prepare
from homeostat.retrain.cycle import CycleRequest, run_cycle
from homeostat.retrain.settings import RetrainSettings
from homeostat.retrain.simulated import SimulatedStages
from homeostat.retrain.simulated_time import InlineDurable, SimulatedClock
from homeostat.retrain.simulated_world import World
from homeostat.train.settings import TrainSettings

DAY = timedelta(days=1)


def stages(root, *, day: int, force: str | None = None, world: World | None = None, **parts) -> SimulatedStages:
    given = project(**parts)
    line, kinds = prepare(moving_world(), project=given)
    request = CycleRequest(
        cycle_id=f"c{day}", model="moving", trigger="manual", because="asked", options={"force": force} if force else {}
    )
    return SimulatedStages(
        request=request,
        project=given,
        timeline=line,
        kinds=kinds,
        world=world or World(),
        clock=SimulatedClock(START + day * DAY),
        root=folder_with_rules(root),
    )


def run(one: SimulatedStages) -> CycleState:
    return run_cycle(one.request, stages=one, durable=InlineDurable(), policy=RetrainSettings())


def test_a_cycle_makes_a_champion(tmp_path):
    one = stages(tmp_path, day=12)
    assert run(one) is CycleState.PROMOTED
    champion = one.world.champion
    assert (champion.number, one.world.fits, champion.trained_at) == (1, 2, START + 12 * DAY)
    assert champion.rows == 10 * 50  # the window, the tested rows included
    assert one.world.cycles[0].state is CycleState.PROMOTED
    assert champion.reference.performance.value < 0.5


def test_a_model_is_never_fitted_on_a_label_that_is_not_known_yet(tmp_path):
    one = stages(tmp_path, day=12, label_delay="3d")
    snapshot = one.snapshot()
    assert snapshot["rows"] == 9 * 50
    with pytest.raises(InvalidInput, match="would learn at 2024-01-13 00:00 from a label that is known from"):
        one.train({**snapshot, "version": snapshot["rows"] + 1})
    assert one.world.fits == 0


def test_a_challenger_that_the_gate_refuses_is_rejected_and_a_forced_one_is_not(tmp_path):
    world = World()
    run(stages(tmp_path, day=20, world=world))
    wanted = GateSettings(champion=ChampionRule(rule="better", margin=2.0))
    after = stages(tmp_path, day=33, world=world, gate=wanted)
    after.kinds = {**after.kinds, "x": Kind.INTEGER}
    assert run(after) is CycleState.REJECTED
    assert "the gate stopped it" in world.cycles[0].outcome["because"]
    assert (world.champion.number, len(world.versions)) == (1, 1)
    assert run(stages(tmp_path, day=33, world=world, gate=wanted, force="always")) is CycleState.PROMOTED
    assert world.champion.number == 2


def test_a_train_function_that_raises_ends_the_cycle_as_failed(tmp_path):
    one = stages(tmp_path, day=12, function="rules:broken")
    assert run(one) is CycleState.FAILED
    assert "RuntimeError: no luck" in one.world.cycles[0].outcome["because"]
    assert one.world.champion is None


def test_without_refit_the_tested_model_is_the_one_put_to_work(tmp_path):
    one = stages(tmp_path, day=12, train=TrainSettings(function="rules:train", refit=False))
    run(one)
    assert (one.world.fits, one.world.champion.rows) == (1, 12 * 50 * 0.8)
