"""There is no champion yet: train the first."""

from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.situation import Firing, Situation, Trigger


def fired(situation: Situation, _settings: Triggers) -> Firing | None:
    if situation.champion is not None:
        return None
    last = situation.last_cycle
    because = f"{situation.model} has no champion yet"
    return Firing(trigger="first", cause=f"first:{last.cycle_id if last else ''}", because=because)


TRIGGER = Trigger(name="first", rank=0, fired=fired)
