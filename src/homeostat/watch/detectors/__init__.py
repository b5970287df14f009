"""Detectors, each a file with one constant DETECTOR. Found by walking the package: a new file is a new detector."""

from collections.abc import Mapping

from homeostat.core.errors import NotFound, near
from homeostat.core.plugins import plugins
from homeostat.watch.detector import DetectorKind

DETECTORS: Mapping[str, DetectorKind] = plugins(__name__, __path__, "DETECTOR")


def detector(name: str) -> DetectorKind:
    """Return the detector of that name; raise NotFound with near names."""
    if name not in DETECTORS:
        raise NotFound(f"no detector '{name}'", hint=near(name, DETECTORS))
    return DETECTORS[name]
