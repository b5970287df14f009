"""What the headers of a request say besides its body."""

import re
from collections.abc import Mapping

import msgspec

from homeostat.core.errors import InvalidInput
from homeostat.core.records import Json
from homeostat.serve.exchange import Response

_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_CALLER = re.compile(r"[ -~]{1,100}")


def as_json(value: Json, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status=status, body=msgspec.json.encode(value), headers=headers)


def timeout_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `X-Request-Timeout-Ms` allows, None without; raise InvalidInput where it is no number above 0."""
    text = headers.get("x-request-timeout-ms")
    if text is None:
        return None
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = 0.0
    if not 0.0 < milliseconds < float("inf"):
        raise InvalidInput("X-Request-Timeout-Ms is not a number above 0", hint="give milliseconds: 250")
    return milliseconds / 1e3


def caller_of(headers: Mapping[str, str]) -> str | None:
    """Return who says to ask (`X-Caller`), for the record; what is no short printable text is left out."""
    text = headers.get("x-caller")
    return text if text is not None and _CALLER.fullmatch(text) else None


def trace_of(headers: Mapping[str, str]) -> str | None:
    """Return the trace id of a W3C `traceparent`, None where there is none."""
    text = headers.get("traceparent")
    if text is None:
        return None
    found = _TRACE.fullmatch(text)
    return found[1] if found is not None and set(found[1]) != {"0"} else None
