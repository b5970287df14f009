"""Converters, each a file with one constant CONVERTER. Found by walking the package: a new file is a new converter."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from homeostat.core.plugins import plugins
from homeostat.train.compiled.converter import Converter


@cache
def converters() -> tuple[Converter, ...]:
    """Return all converters, the one that is asked first first."""
    found: Iterable[Converter] = plugins(__name__, __path__, "CONVERTER").values()
    return tuple(sorted(found, key=lambda each: (each.rank, each.name)))


def converter_of(model: Any) -> Converter | None:
    """Return the converter that takes the model, None where none does."""
    return next((each for each in converters() if each.takes(model)), None)
