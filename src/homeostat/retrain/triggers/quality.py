"""Incoming rows broke the contract, or requests failed."""

from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.situation import Firing, Situation, Trigger, of_oldest


def fired(situation: Situation, settings: Triggers) -> Firing | None:
    if not settings.quality or situation.champion is None:
        return None
    return of_oldest("quality", situation.events_of("quality.broken"))


TRIGGER = Trigger(name="quality", rank=20, fired=fired)
