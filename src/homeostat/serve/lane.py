"""A model that may go the short way (see `express`)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from homeostat.core.records.routes import Route
from homeostat.serve.decoder import Decoder
from homeostat.serve.evaluator import Quick
from homeostat.serve.loaded import Loaded


class Lane(msgspec.Struct, kw_only=True, eq=False):
    """A model while it may go the short way: for as long as its route and its champion stay what they are.

    `model`: the champion where it is compiled; any other is asked through its batcher.
    """

    route: Route
    version: int
    decoder: Decoder
    model: Quick | None
    loaded: Loaded
    names: tuple[str, ...]
    words: dict[Any, str]


def lane_of(route: Route, loaded: Mapping[int, Loaded]) -> Lane | None:
    """Return the short way of a route: where its champion stands alone."""
    if route.champion is None or route.versions != (route.champion,):
        return None
    champion = loaded[route.champion]
    classes = champion.signature.classes
    return Lane(
        route=route,
        version=champion.version,
        decoder=champion.decoder,
        model=champion.quick,
        loaded=champion,
        names=tuple(str(label) for label in classes),
        words={label: msgspec.json.encode(label).decode() for label in classes},
    )
