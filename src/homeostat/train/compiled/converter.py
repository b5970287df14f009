"""What a converter is: it knows one family of models, and makes their compiled form."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from homeostat.core.columns import Signature
from homeostat.train.compiled.plan import Plan


class NotConvertible(Exception):
    """The model, or something in it, has no compiled form. The message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """The bytes of an ONNX model, and the plan around it."""

    content: bytes
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Converter:
    """A plug-in. `rank`: of several that take a model, the lowest is asked. `takes` must not import what a project may lack."""

    name: str
    rank: int
    takes: Callable[[Any], bool]
    convert: Callable[[Any, Signature], Converted]


def is_of(model: Any, module: str, *names: str) -> bool:
    """Return whether the model's class, or one it inherits from, has that name in that module (or below it). Imports nothing."""
    return any(
        (base.__module__ == module or base.__module__.startswith(f"{module}."))
        and (not names or base.__name__ in names)
        for base in type(model).__mro__
    )
