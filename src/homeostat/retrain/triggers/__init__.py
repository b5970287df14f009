"""What may start a cycle, one file each; every module here with a `TRIGGER` is one.

A person's request needs no trigger.
"""

import importlib
import pkgutil

from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.situation import Champion, Firing, Situation, Trigger

__all__ = ["TRIGGERS", "Champion", "Firing", "Situation", "Trigger", "firings"]


def _discover() -> dict[str, Trigger]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    found = [module.TRIGGER for module in modules if hasattr(module, "TRIGGER")]
    return {trigger.name: trigger for trigger in found}


TRIGGERS = _discover()


def firings(situation: Situation, settings: Triggers) -> list[Firing]:
    """Return every firing, the weightiest first."""
    ordered = sorted(TRIGGERS.values(), key=lambda trigger: (trigger.rank, trigger.name))
    found = (trigger.fired(situation, settings) for trigger in ordered)
    return [firing for firing in found if firing is not None]
