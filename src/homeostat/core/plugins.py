"""Plug-ins are found: every module of their package is one, by the constant that it has. Nobody keeps a list of them."""

import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType
from typing import Any


def modules(package: str, path: Iterable[str]) -> dict[str, ModuleType]:
    """Return the modules of a package (its `__name__` and `__path__`) by their names, in order."""
    names = sorted(found.name for found in pkgutil.iter_modules(path))
    return {name: importlib.import_module(f"{package}.{name}") for name in names}


def plugins(package: str, path: Iterable[str], constant: str, *, has_others: bool = False) -> dict[str, Any]:
    """Return the constant of each module of a package by the plug-in's own `name`, in order.

    Raises AttributeError where a module has no such constant, as it was misspelt; `has_others`: some modules are there for the plug-ins.
    """
    found = modules(package, path).values()
    ours = [getattr(module, constant) for module in found if not has_others or hasattr(module, constant)]
    return {plugin.name: plugin for plugin in sorted(ours, key=lambda plugin: plugin.name)}
