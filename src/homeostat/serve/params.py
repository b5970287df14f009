"""Params of a request, held against those that the model's signature declares."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from homeostat.core.columns import Param, Signature
from homeostat.core.errors import InvalidInput, near
from homeostat.serve.validate import described, instant

_MOST_VALUES = 10_000


def read_params(value: Any, signature: Signature) -> Mapping[str, Any]:
    """Return the params that a request gives, none for None or an empty object; raise InvalidInput naming one that is not known or does not fit.

    >>> from homeostat.core.columns import Task
    >>> read_params({"top": 3}, Signature(task=Task.BINARY, columns=(), target="y", params=(Param(name="top", type="long"),)))
    {'top': 3}
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput(f"params is {described(value)}, not an object", hint='send {"name": value}, or leave it out')
    known = {param.name: param for param in signature.params}
    for name in value:
        if name not in known:
            hint = near(name, known) or "leave params out"
            raise InvalidInput(f"the model takes no param '{name[:100]}'", hint=hint)
    return {name: _read(known[name], given) for name, given in value.items()}


def _read(param: Param, value: Any) -> Any:
    if not param.is_list:
        return _one(param, value)
    if not isinstance(value, list) or len(value) > _MOST_VALUES:
        raise _unfit(param, f"a list of at most {_MOST_VALUES}", value)
    return [_one(param, each) for each in value]


def _one(param: Param, value: Any) -> Any:
    expected, convert = _READ[param.type]
    try:
        return convert(value)
    except (ValueError, OverflowError) as error:
        raise _unfit(param, expected, value) from error


def _unfit(param: Param, expected: str, value: Any) -> InvalidInput:
    return InvalidInput(
        f"param '{param.name}': expected {expected}, found {described(value)}", hint=f"its type is {param.type}"
    )


def _whole(bits: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if type(value) is not int or not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
            raise ValueError
        return value

    return convert


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _just(kind: type) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError
        return value

    return convert


def _time(value: Any) -> str:
    instant(value)
    found: str = value
    return found


_READ: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "boolean": ("true or false", _just(bool)),
    "integer": ("an integer of 32 bits", _whole(32)),
    "long": ("an integer of 64 bits", _whole(64)),
    "float": ("a finite number", _number),
    "double": ("a finite number", _number),
    "string": ("a string", _just(str)),
    "datetime": ("a time in ISO 8601", _time),
}
