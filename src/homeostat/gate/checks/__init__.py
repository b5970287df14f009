"""The checks of the gate, one file each; every module here with a `CHECK` is one."""

import importlib
import pkgutil

from homeostat.gate.check import Check


def _discover() -> dict[str, Check]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found = [importlib.import_module(f"{__name__}.{name}").CHECK for name in names]
    return {check.name: check for check in found}


CHECKS = _discover()
