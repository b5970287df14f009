"""Bodies of requests, as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from homeostat.core.errors import InvalidInput

_ENVELOPE = frozenset(["rows", "request_id", "key"])


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictBody:
    rows: Sequence[Any]
    request_id: str | None = None
    key: str | None = None


def decoded(body: bytes) -> Any:
    """Return the JSON value of a body; raise InvalidInput where it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the body is not JSON: {error}", hint='send {"rows": [{"column": value, ...}]}') from error
    except RecursionError as error:
        raise InvalidInput("the body is nested too deeply", hint="rows are flat objects of columns") from error


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
