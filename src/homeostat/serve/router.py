"""Which version answers a request: the champion, or for a share of keys the canary. Pure: the same question has the same answer."""

import hashlib
from typing import Literal

import msgspec

from homeostat.core.errors import Conflict
from homeostat.core.records import Route


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """`answering` is the version whose predictions the client gets; `shadows` are evaluated on the same rows beside it."""

    answering: int
    role: Literal["champion", "canary"]
    shadows: tuple[int, ...] = ()


def choose(route: Route, *, request_id: str, key: str | None = None) -> Choice:
    """Return who answers. Sticky: a key (without one, the request id) meets the same side for as long as the canary is the same version.

    Raising the percentage keeps everyone who was in; another canary version draws its share anew. In the canary's role the champion is a
    shadow, so that both are compared on the same rows. Raises Conflict where no version is champion yet.
    """
    if route.champion is None:
        raise Conflict(
            f"model '{route.model}' has no champion yet",
            hint="promote a version: `homeostat models promote` or let a cycle finish",
        )
    if route.canary is None and route.shadow is None:
        return Choice(answering=route.champion, role="champion")
    extra = () if route.shadow is None else (route.shadow,)
    sticky = f"key:{key}" if key is not None else f"request:{request_id}"
    if route.canary is not None and position(route.model, route.canary, sticky) < route.canary_percent:
        shadows = dict.fromkeys((route.champion, *extra))
        shadows.pop(route.canary, None)
        return Choice(answering=route.canary, role="canary", shadows=tuple(shadows))
    return Choice(answering=route.champion, role="champion", shadows=tuple(v for v in extra if v != route.champion))


def position(model: str, canary: int, sticky: str) -> float:
    """Return where a key stands for that canary, uniform in [0, 100): it is in when it stands below the percentage.

    >>> 0.0 <= position("m", 2, "key:anna") < 100.0
    True
    """
    digest = hashlib.blake2b(f"{model}\x1f{canary}\x1f{sticky}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) * (100.0 / 2**53)
