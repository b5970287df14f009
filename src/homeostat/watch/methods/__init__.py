"""Drift methods, each a file with one constant METHOD. Found by walking the package: a new file is a new method."""

from collections.abc import Mapping, Sequence

from homeostat.core.columns import Kind
from homeostat.core.errors import NotFound, near
from homeostat.core.plugins import plugins
from homeostat.watch.method import Method, SampleKind

_DEFAULTS: Mapping[SampleKind, tuple[str, ...]] = {"number": ("wasserstein",), "category": ("jensen_shannon",)}


METHODS: Mapping[str, Method] = plugins(__name__, __path__, "METHOD")


def method(name: str) -> Method:
    """Return the method of that name; raise NotFound with near names."""
    if name not in METHODS:
        raise NotFound(f"no drift method '{name}'", hint=near(name, METHODS))
    return METHODS[name]


def sample_kind(kind: Kind) -> SampleKind | None:
    """Return how a column of that kind is measured; None: not at all (text; dates, which always move)."""
    if kind.is_numeric:
        return "number"
    return "category" if kind in (Kind.CATEGORY, Kind.BOOLEAN) else None


def chosen(kind: SampleKind, names: Sequence[str] | None = None) -> list[Method]:
    """Return the methods for a kind of column: those of `names` that can measure it, or the defaults.

    >>> [m.name for m in chosen("category")]
    ['jensen_shannon']
    """
    wanted = _DEFAULTS[kind] if names is None else names
    return [m for m in map(method, wanted) if kind in m.kinds]
