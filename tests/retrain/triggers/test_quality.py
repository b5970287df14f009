from tests.retrain.situations import event, situation

from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.quality import TRIGGER

BROKEN = situation(events=(event("quality.broken"),))


def test_fires_only_where_the_project_asks_for_it():
    assert TRIGGER.fired(BROKEN, Triggers()) is None
    assert "quality.broken" in TRIGGER.fired(BROKEN, Triggers(quality=True)).because
    assert TRIGGER.fired(situation(), Triggers(quality=True)) is None
