from tests.retrain.situations import event, situation

from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.performance import TRIGGER

DECAYED = event("performance.decayed", seq=4, summary="log_loss went from 0.4 to 0.6")


def test_fires_on_decay_in_the_words_of_the_verdict():
    firing = TRIGGER.fired(situation(events=(DECAYED,)), Triggers())
    assert firing.because == "log_loss went from 0.4 to 0.6"


def test_is_silent_without_decay_when_switched_off_and_without_a_champion():
    assert TRIGGER.fired(situation(events=(event("drift.detected"),)), Triggers()) is None
    assert TRIGGER.fired(situation(events=(DECAYED,)), Triggers(performance=False)) is None
    assert TRIGGER.fired(situation(events=(DECAYED,), champion=None), Triggers()) is None


def test_what_an_earlier_version_did_is_no_reason():
    old = event("performance.decayed", version=2)
    assert TRIGGER.fired(situation(events=(old,)), Triggers()) is None
    assert TRIGGER.fired(situation(events=(old, event("performance.decayed", version=3))), Triggers()) is not None


def test_later_events_do_not_make_another_cycle_of_it():
    later = event("performance.decayed", seq=9, summary="worse still")
    one = TRIGGER.fired(situation(events=(DECAYED,)), Triggers())
    two = TRIGGER.fired(situation(events=(DECAYED, later)), Triggers())
    assert one.cycle_id("flights") == two.cycle_id("flights")
    assert two.because == "worse still"
