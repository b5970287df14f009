"""Enough rows with labels have come since the last training."""

from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.situation import Firing, Situation, Trigger


def fired(situation: Situation, settings: Triggers) -> Firing | None:
    if settings.new_rows is None or situation.champion is None:
        return None
    rows = situation.labelled_rows_since_training
    if rows < settings.new_rows:
        return None
    last = situation.last_trained
    since = last.cycle_id if last else f"version {situation.champion.version}"
    because = f"{rows:,} new rows with labels since the last training, {settings.new_rows:,} are enough"
    return Firing(trigger="new_rows", cause=f"new_rows:{since}", because=because)


TRIGGER = Trigger(name="new_rows", rank=50, fired=fired)
