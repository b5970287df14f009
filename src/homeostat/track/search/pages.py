"""Where the next page begins, as the opaque token that a client sends back."""

import base64
import binascii
import json

from homeostat.core.errors import InvalidInput

_MOST = 2**62


def next_token(offset: int) -> str:
    """Return the token of the page that begins at `offset`.

    >>> offset_of(next_token(200))
    200
    """
    return base64.b64encode(json.dumps({"offset": offset}).encode()).decode()


def offset_of(token: str | None) -> int:
    """Return where a page begins, 0 without a token; raise InvalidInput where the token is none of ours."""
    if not token:
        return 0
    try:
        found = json.loads(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidInput("Invalid page token, could not base64-decode") from error
    offset = found.get("offset") if isinstance(found, dict) else None
    if type(offset) is not int or not 0 <= offset < _MOST:
        raise InvalidInput(f"Invalid page token, parsed value: {str(found)[:100]}")
    return offset
