"""Detectors, each a file with one constant DETECTOR. Found by walking the package: a new file is a new detector."""

import importlib
import pkgutil
from collections.abc import Mapping

from homeostat.core.errors import NotFound, near
from homeostat.watch.detector import DetectorKind


def _discover() -> dict[str, DetectorKind]:
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    return dict(sorted((module.DETECTOR.name, module.DETECTOR) for module in modules))


DETECTORS: Mapping[str, DetectorKind] = _discover()


def detector(name: str) -> DetectorKind:
    """Return the detector of that name; raise NotFound with near names."""
    if name not in DETECTORS:
        raise NotFound(f"no detector '{name}'", hint=near(name, DETECTORS))
    return DETECTORS[name]
