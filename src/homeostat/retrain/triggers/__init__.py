"""What may start a cycle, one file each; every module here with a `TRIGGER` is one.

A person's request needs no trigger.
"""

from collections.abc import Mapping

from homeostat.core.plugins import plugins
from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.situation import Champion, Firing, Situation, Trigger

__all__ = ["TRIGGERS", "Champion", "Firing", "Situation", "Trigger", "firings"]


TRIGGERS: Mapping[str, Trigger] = plugins(__name__, __path__, "TRIGGER", has_others=True)


def firings(situation: Situation, settings: Triggers) -> list[Firing]:
    """Return every firing, the weightiest first."""
    ordered = sorted(TRIGGERS.values(), key=lambda trigger: (trigger.rank, trigger.name))
    found = (trigger.fired(situation, settings) for trigger in ordered)
    return [firing for firing in found if firing is not None]
