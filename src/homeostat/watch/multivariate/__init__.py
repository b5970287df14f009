"""Measures of drift of all columns together, each a file with one constant METHOD. Found by walking the package."""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence

from homeostat.core.errors import NotFound, near
from homeostat.watch.joint import JointMethod

DEFAULTS = ("domain_classifier", "pca_reconstruction")


def _discover() -> dict[str, JointMethod]:
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    return dict(sorted((module.METHOD.name, module.METHOD) for module in modules))


JOINT_METHODS: Mapping[str, JointMethod] = _discover()


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
