from tests.retrain.situations import DAY, cycle, situation

from homeostat.core.records.cycles import CycleState
from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.first import TRIGGER


def test_fires_without_a_champion_only():
    assert TRIGGER.fired(situation(champion=None), Triggers()).because == "flights has no champion yet"
    assert TRIGGER.fired(situation(), Triggers()) is None


def test_another_try_after_a_failed_one_is_another_cycle():
    before = TRIGGER.fired(situation(champion=None), Triggers())
    failed = cycle(1, CycleState.FAILED, ago=DAY)
    after = TRIGGER.fired(situation(champion=None, cycles=(failed,)), Triggers())
    assert before.cycle_id("flights") != after.cycle_id("flights")
