"""The world has changed, a successor was made at once, mostly of old rows; now there are enough new ones for a better one."""

from homeostat.core.records.cycles import CycleState
from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.situation import Firing, Situation, Trigger

SHARE = 0.5  # of the rows that the champion learned from
CHANGED = ("performance", "settling")
MOST = 2


def fired(situation: Situation, settings: Triggers) -> Firing | None:
    """Fire where the champion came of a decay and new labelled rows are half as many as it learned from; at most twice in a row.

    A successor's own reference is lenient then: it was measured on rows of both worlds, so nothing else would call it bad.
    """
    if not settings.performance or situation.champion is None or situation.champion.rows <= 0:
        return None
    promoted = [cycle for cycle in situation.cycles if cycle.state is CycleState.PROMOTED]
    if not promoted or promoted[0].trigger not in CHANGED:
        return None
    if len(promoted) >= MOST and all(cycle.trigger == "settling" for cycle in promoted[:MOST]):
        return None
    rows = situation.labelled_rows_since_training
    if rows < SHARE * situation.champion.rows:
        return None
    because = f"{rows:,} labelled rows have come since the world changed; the champion learned from {situation.champion.rows:,}"
    return Firing(trigger="settling", cause=f"settling:{situation.cycles[0].cycle_id}", because=because)


TRIGGER = Trigger(name="settling", rank=40, fired=fired)
