"""Inputs or predictions moved; by default a reason only where no label can say whether that did harm."""

from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.situation import Firing, Situation, Trigger, of_oldest


def fired(situation: Situation, settings: Triggers) -> Firing | None:
    if settings.drift == "never" or situation.champion is None:
        return None
    if settings.drift == "without_labels" and situation.labels_come:
        return None
    return of_oldest("drift", situation.events_of("drift.detected"))


TRIGGER = Trigger(name="drift", rank=30, fired=fired)
