from tests.retrain.policies.looks import look
from tests.retrain.situations import event
from tests.retrain.worlds import project

from homeostat.retrain.policies import chosen
from homeostat.retrain.settings import RetrainSettings, Triggers


def test_what_the_triggers_say_is_done():
    rule = chosen("triggers", project()).rule
    decayed = rule.decide(look(events=(event("performance.decayed"),)))
    assert (decayed.kind, decayed.firing.trigger) == ("retrain", "performance")
    assert rule.decide(look()).kind == "nothing"


def test_settings_count_and_are_described():
    ready = chosen(RetrainSettings(triggers=Triggers(performance=False, new_rows=50)), project())
    assert ready.rule.decide(look(events=(event("performance.decayed"),))).kind == "nothing"
    assert "50 new rows" in ready.description
    assert ready.gate == "judges"
