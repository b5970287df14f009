"""Which version answers a request: by its segment, as a canary's share, by a split, or the champion. Pure: the same question has the same answer."""

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from homeostat.core.errors import Conflict
from homeostat.core.records.routes import Route, Split


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """`answering` is the version whose predictions the client gets; `shadows` are evaluated on the same rows beside it.

    In the role `canary` the champion answers where the version cannot. `by`: which rule of the route chose.
    """

    answering: int
    role: Literal["champion", "canary"]
    shadows: tuple[int, ...] = ()
    by: Literal["champion", "segment", "canary", "split"] = "champion"


def choose(
    route: Route, *, request_id: str, key: str | None = None, features: Mapping[str, Any] | None = None
) -> Choice:
    """Return who answers. Sticky: a key (without one, the request id) meets the same side for as long as the canary is the same version.

    `features`: values that all rows of the request have in common; only the names in `route.segments` are looked at. Raising the percentage
    keeps everyone who was in; another canary version draws its share anew. In the canary's role the champion is a shadow, so that both are
    compared on the same rows. Raises Conflict where no version is champion yet.
    """
    if route.champion is None:
        raise Conflict(
            f"model '{route.model}' has no champion yet",
            hint="promote a version: `homeostat models promote` or let a cycle finish",
        )
    if route.versions == (route.champion,):
        return Choice(answering=route.champion, role="champion")
    extra = () if route.shadow is None else (route.shadow,)
    for segment in route.segments:
        if _fits(segment.when, key, features or {}):
            return _answered(route, segment.version, extra, by="segment")
    sticky = f"key:{key}" if key is not None else f"request:{request_id}"
    if route.canary is not None and position(route.model, route.canary, sticky) < route.canary_percent:
        shadows = dict.fromkeys((route.champion, *extra))
        shadows.pop(route.canary, None)
        return Choice(answering=route.canary, role="canary", shadows=tuple(shadows), by="canary")
    if route.split is not None:
        return _answered(route, arm(route.model, route.split, sticky), extra, by="split")
    return _answered(route, route.champion, extra, by="champion")


def arm(model: str, split: Split, sticky: str) -> int:
    """Return the version that a key belongs to in a split.

    Every version runs towards every key with a speed of its share, and the first to arrive has it: the shares are met exactly in
    expectation, and where one version's share grows, keys move to that version only, never between the others (weighted rendezvous hashing).

    >>> arm("m", Split(shares={1: 100.0, 2: 0.0}), "key:anna")
    1
    """
    return min(
        (version for version, share in split.shares.items() if share > 0.0),
        key=lambda version: (_arrival(model, version, sticky) / split.shares[version], version),
    )


def position(model: str, canary: int, sticky: str) -> float:
    """Return where a key stands for that canary, uniform in [0, 100): it is in when it stands below the percentage.

    >>> 0.0 <= position("m", 2, "key:anna") < 100.0
    True
    """
    digest = hashlib.blake2b(f"{model}\x1f{canary}\x1f{sticky}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) * (100.0 / 2**53)


def _arrival(model: str, version: int, sticky: str) -> float:
    """Return an exponential variate that belongs to the key and the version; drawn apart from where the key stands for a canary."""
    return -math.log1p(-position(f"{model}\x1fsplit", version, sticky) / 100.0)


def _answered(
    route: Route, version: int, extra: tuple[int, ...], *, by: Literal["champion", "segment", "split"]
) -> Choice:
    shadows = tuple(other for other in extra if other != version)
    return Choice(answering=version, role="champion" if version == route.champion else "canary", shadows=shadows, by=by)


def _fits(when: Mapping[str, Any], key: str | None, features: Mapping[str, Any]) -> bool:
    return all(
        _equal(features[name], wanted) if name in features else name == "key" and key == wanted
        for name, wanted in when.items()
    )


def _equal(found: object, wanted: object) -> bool:
    # True equals 1 in Python; in a column of numbers it is a mistake
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)
