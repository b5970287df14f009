"""Converters, each a file with one constant CONVERTER. Found by walking the package: a new file is a new converter."""

import importlib
import pkgutil
from functools import cache
from typing import Any

from homeostat.train.compiled.converter import Converter


@cache
def converters() -> tuple[Converter, ...]:
    """Return all converters, the one that is asked first first."""
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    return tuple(sorted((module.CONVERTER for module in modules), key=lambda each: (each.rank, each.name)))


def converter_of(model: Any) -> Converter | None:
    """Return the converter that takes the model, None where none does."""
    return next((each for each in converters() if each.takes(model)), None)
