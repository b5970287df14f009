"""What the headers of a request say besides its body."""

import re
from collections.abc import Mapping

import msgspec

from homeostat.core.errors import InvalidInput
from homeostat.core.values import Json
from homeostat.serve.exchange import Response

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?", re.ASCII)
_MOST_PARENT = 256
_SAMPLED = 1
_CALLER = re.compile(r"[ -~]{1,100}")


def as_json(value: Json, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status=status, body=msgspec.json.encode(value), headers=headers)


BROKEN = as_json(
    {"error": {"code": "internal", "message": "the server made a mistake", "hint": "its log has the details"}},
    status=500,
)


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


class Parent(msgspec.Struct, frozen=True):
    """Whose request this is part of: ids in hexadecimal digits, and whether the caller traces it."""

    trace_id: str
    span_id: str
    is_sampled: bool


def parent_of(headers: Mapping[str, str]) -> Parent | None:
    """Return what a `traceparent` says (W3C Trace Context, section 3.2); None where there is none, or one that is none.

    Versions after 00 may say more behind it; version ff and ids of zeros are no ids.
    """
    text = headers.get("traceparent")
    if text is None or len(text) > _MOST_PARENT:
        return None
    found = _PARENT.fullmatch(text)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    is_odd = version == "ff" or (version == "00" and more is not None)
    if is_odd or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return Parent(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))
