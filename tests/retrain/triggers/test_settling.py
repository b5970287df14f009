from dataclasses import replace

from tests.retrain.situations import DAY, cycle, situation

from homeostat.core.records.cycles import CycleState
from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.settling import TRIGGER
from homeostat.retrain.triggers.situation import Champion


def promoted(number: int, trigger: str, *, days: int):
    return replace(cycle(number, CycleState.PROMOTED, ago=days * DAY), trigger=trigger)


def now(*cycles, rows: int):
    base = situation(labelled_rows_since_training=rows, cycles=cycles)
    return replace(base, champion=Champion(version=2, trained_at=base.now - DAY, rows=1000))


def test_fires_when_half_as_many_rows_have_come_as_the_successor_learned_from():
    after_decay = promoted(2, "performance", days=2)
    assert TRIGGER.fired(now(after_decay, rows=499), Triggers()) is None
    assert "500 labelled rows" in TRIGGER.fired(now(after_decay, rows=500), Triggers()).because


def test_fires_only_after_a_change_and_not_for_ever():
    assert TRIGGER.fired(now(promoted(2, "schedule", days=2), rows=900), Triggers()) is None
    settled = (promoted(4, "settling", days=2), promoted(3, "settling", days=4), promoted(2, "performance", days=6))
    assert TRIGGER.fired(now(*settled[1:], rows=900), Triggers()) is not None
    assert TRIGGER.fired(now(*settled, rows=900), Triggers()) is None
    assert TRIGGER.fired(now(promoted(2, "performance", days=2), rows=900), Triggers(performance=False)) is None


def test_a_rejected_try_gives_the_next_one_another_name():
    after_decay = promoted(2, "performance", days=4)
    one = TRIGGER.fired(now(after_decay, rows=600), Triggers())
    two = TRIGGER.fired(now(after_decay, rows=700), Triggers())
    tried = TRIGGER.fired(now(cycle(3, CycleState.REJECTED, ago=DAY), after_decay, rows=600), Triggers())
    assert one.cause == two.cause != tried.cause
