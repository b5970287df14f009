"""Bodies of requests, as JSON. JSON leaves open what two fields of one name mean, and Python writes NaN, which it lacks: both are refused by name."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from homeostat.core.errors import InvalidInput

_ENVELOPE = frozenset(["rows", "request_id", "key"])
_MOST_LOOKED_INTO = 1 << 20  # bytes: in longer bodies nobody looks for the place of a NaN


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictBody:
    rows: Sequence[Any]
    request_id: str | None = None
    key: str | None = None


def decoded(body: bytes) -> Any:
    """Return the JSON value of a body; raise InvalidInput where it is none."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise not_json(body, error, hint='send {"rows": [{"column": value, ...}]}') from error
    except RecursionError as error:
        raise InvalidInput("the body is nested too deeply", hint="rows are flat objects of columns") from error
    refuse_twice(body, keys_in(value))
    return value


def not_json(body: bytes, error: Exception, *, hint: str, what: str = "the body is not JSON") -> InvalidInput:
    """Return the error that says why the body is not what it should be: the field where it holds NaN or an infinity, else what the parser says."""
    place = _not_finite(body) if len(body) <= _MOST_LOOKED_INTO else None
    if place is None:
        return InvalidInput(f"{what}: {error}", hint=hint)
    return InvalidInput(
        f"the body is not JSON: {place} is not a finite number",
        hint="JSON has none; send null where the column may be null",
    )


def _not_finite(body: bytes) -> str | None:
    try:
        waiting = [("", json.loads(body.decode()))]
    except (ValueError, RecursionError):
        return None
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            columns = value.get("columns")
            if isinstance(columns, list) and isinstance(value.get("data"), list):
                value["data"] = [dict(zip(map(str, columns), row, strict=False)) for row in _lists(value["data"])]
            waiting += [(f"{path}.{_told(name)}" if path else _told(name), each) for name, each in value.items()]
        elif isinstance(value, list):
            for at, each in enumerate(value):
                called = each.get("name") if isinstance(each, dict) else None
                waiting.append((f"{path}[{at}]" + (f" '{_told(called)}'" if isinstance(called, str) else ""), each))
        elif isinstance(value, float) and not math.isfinite(value):
            return path or "it"
    return None


def _told(name: str) -> str:
    """Return a name as it can be told: short, without the halves of surrogates, which Python's parser takes."""
    return name[:100].encode(errors="replace").decode()


def _lists(values: list[Any]) -> list[list[Any]]:
    return [each for each in values if isinstance(each, list)]


def keys_in(value: Any) -> int:
    """Return how many fields the objects of a value have, or fewer: lists that do not begin with an object are not looked into."""
    if isinstance(value, dict):
        return len(value) + sum(keys_in(each) for each in value.values() if isinstance(each, dict | list))
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return sum(keys_in(each) for each in value if isinstance(each, dict))
    return 0


def refuse_twice(body: bytes, keys: int) -> None:
    """Raise InvalidInput where an object of a JSON text has two fields of one name. `keys`: so many different ones it has, at least.

    Each field has its colon: where there are no more colons than different fields, nothing is there twice, and nobody looks closer.
    """
    if body.count(b":") == keys:
        return
    try:
        json.loads(body.decode(), object_pairs_hook=_each_once, parse_int=_nothing, parse_float=_nothing)
    except _Twice as error:
        raise InvalidInput(
            f"the field '{_told(str(error))}' is there twice in one object", hint="send each field once"
        ) from error
    except RecursionError as error:
        raise InvalidInput("the body is nested too deeply", hint="rows are flat objects of columns") from error


class _Twice(Exception):
    """Not an error of its own: told above."""


def _each_once(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Twice(name)
            seen.add(name)


def _nothing(text: str) -> None:
    del text


def predict_body(body: bytes) -> PredictBody:
    """Return what a prediction is asked for: `{"rows": [...]}` (with `request_id` and `key` if wanted), a list of rows, or one row."""
    value = decoded(body)
    if isinstance(value, list):
        return PredictBody(rows=value)
    if not isinstance(value, dict):
        raise InvalidInput("the body is neither an object nor a list", hint='send {"rows": [{"column": value, ...}]}')
    if not isinstance(value.get("rows"), list):
        if "rows" in value and value.keys() <= _ENVELOPE:
            raise InvalidInput("'rows' is not a list", hint='send {"rows": [{"column": value, ...}]}')
        return PredictBody(rows=[value])
    unknown = sorted(value.keys() - _ENVELOPE)
    if unknown:
        raise InvalidInput(f"unknown field '{unknown[0]}' beside 'rows'", hint="known: key, request_id, rows")
    request_id, key = value.get("request_id"), value.get("key")
    if request_id is not None and not isinstance(request_id, str):
        raise InvalidInput("'request_id' is not a string", hint="leave it out to get one")
    if isinstance(key, list | dict):
        raise InvalidInput("'key' is not a string or a number", hint="send the customer's or device's own id")
    return PredictBody(rows=value["rows"], request_id=request_id, key=None if key is None else str(key))


def labels_body(body: bytes) -> Sequence[Any]:
    """Return the labels of `{"labels": [...]}`, a list of labels, or one label."""
    value = decoded(body)
    if isinstance(value, dict) and "labels" in value:
        unknown = sorted(value.keys() - {"labels"})
        if unknown:
            raise InvalidInput(f"unknown field '{unknown[0]}' beside 'labels'", hint="known: labels")
        value = value["labels"]
    elif isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise InvalidInput("'labels' is not a list", hint='send {"labels": [{"request_id": ..., "value": ...}]}')
    return value
