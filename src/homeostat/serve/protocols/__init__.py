"""Protocols that clients speak, each a file with one constant PROTOCOL. Found by walking the package: a new file is a new door."""

from functools import cache

from homeostat.core.plugins import plugins
from homeostat.serve.door import Door


@cache
def doors() -> tuple[Door, ...]:
    """Return all doors, by name."""
    return tuple(plugins(__name__, __path__, "PROTOCOL").values())
