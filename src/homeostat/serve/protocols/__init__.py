"""Protocols that clients speak, each a file with one constant PROTOCOL. Found by walking the package: a new file is a new door."""

import importlib
import pkgutil
from functools import cache

from homeostat.serve.door import Door


@cache
def doors() -> tuple[Door, ...]:
    """Return all doors, by name."""
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    return tuple(sorted((module.PROTOCOL for module in modules), key=lambda door: door.name))
