from tests.retrain.situations import DAY, cycle, situation

from homeostat.core.records.cycles import CycleState
from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.new_rows import TRIGGER

WANTED = Triggers(new_rows=500)


def test_fires_at_the_number_that_is_set():
    assert TRIGGER.fired(situation(labelled_rows_since_training=499), WANTED) is None
    assert "500 new rows" in TRIGGER.fired(situation(labelled_rows_since_training=500), WANTED).because
    assert TRIGGER.fired(situation(labelled_rows_since_training=10**6), Triggers()) is None


def test_more_rows_are_the_same_cycle_until_one_has_trained():
    one = TRIGGER.fired(situation(labelled_rows_since_training=500), WANTED)
    two = TRIGGER.fired(situation(labelled_rows_since_training=800), WANTED)
    trained = cycle(7, CycleState.REJECTED, ago=DAY)
    three = TRIGGER.fired(situation(labelled_rows_since_training=500, cycles=(trained,)), WANTED)
    assert one.cause == two.cause != three.cause
