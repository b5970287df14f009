"""The rules that a batch is held against. One file per rule, with the constant CHECK; found by looking into this folder."""

import pkgutil
from functools import cache
from importlib import import_module

from homeostat.data.check import Check

__all__ = ["checks"]


@cache
def checks() -> dict[str, Check]:
    """Return every check by name."""
    modules = (import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    found = [module.CHECK for module in modules]
    return {check.name: check for check in sorted(found, key=lambda check: check.name)}
