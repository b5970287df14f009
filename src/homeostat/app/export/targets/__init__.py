"""Where a project may be exported to. One file per target, with the constant TARGET; found by looking into this folder."""

import pkgutil
from importlib import import_module

from homeostat.app.export.target import Target


def targets() -> dict[str, Target]:
    """Return every target by name."""
    modules = (import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return {target.name: target for target in sorted((m.TARGET for m in modules), key=lambda each: each.name)}
