"""Labelled windows were worse than the reference."""

from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.situation import Firing, Situation, Trigger, of_oldest


def fired(situation: Situation, settings: Triggers) -> Firing | None:
    if not settings.performance or situation.champion is None:
        return None
    return of_oldest("performance", situation.events_of("performance.decayed"))


TRIGGER = Trigger(name="performance", rank=10, fired=fired)
