"""The rules that a batch is held against. One file per rule, with the constant CHECK; found by looking into this folder."""

from functools import cache

from homeostat.core.plugins import plugins
from homeostat.data.check import Check

__all__ = ["checks"]


@cache
def checks() -> dict[str, Check]:
    """Return every check by name."""
    return plugins(__name__, __path__, "CHECK")
