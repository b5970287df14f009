"""Measures of drift of all columns together, each a file with one constant METHOD. Found by walking the package."""

from collections.abc import Mapping, Sequence

from homeostat.core.errors import NotFound, near
from homeostat.core.plugins import plugins
from homeostat.watch.joint import JointMethod

DEFAULTS = ("domain_classifier", "pca_reconstruction")


JOINT_METHODS: Mapping[str, JointMethod] = plugins(__name__, __path__, "METHOD")


def joint_methods(names: Sequence[str] | None = None) -> list[JointMethod]:
    """Return those of `names`, or the defaults; raise NotFound for a name that none has.

    >>> [one.name for one in joint_methods()]
    ['domain_classifier', 'pca_reconstruction']
    """
    wanted = DEFAULTS if names is None else names
    for name in wanted:
        if name not in JOINT_METHODS:
            raise NotFound(f"no drift method '{name}' of columns together", hint=near(name, JOINT_METHODS))
    return [JOINT_METHODS[name] for name in wanted]
