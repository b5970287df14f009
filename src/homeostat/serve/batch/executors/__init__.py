"""Where the chunks of a batch are answered. One file per executor, with the constant EXECUTOR; found by looking into this folder."""

import pkgutil
from importlib import import_module

from homeostat.serve.batch.executor import Executor


def executors() -> dict[str, Executor]:
    """Return every executor by name."""
    modules = (import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return {each.name: each for each in sorted((m.EXECUTOR for m in modules), key=lambda each: each.name)}
