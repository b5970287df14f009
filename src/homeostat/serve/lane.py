"""A model that may go the short way (see `express`)."""

from typing import Any

import msgspec

from homeostat.core.records import Route
from homeostat.serve.decoder import Decoder
from homeostat.serve.evaluator import Quick


class Lane(msgspec.Struct, kw_only=True, eq=False):
    """A model while it may go the short way: for as long as its route and its champion stay what they are."""

    route: Route
    version: int
    decoder: Decoder
    model: Quick
    names: list[str]
    words: dict[Any, str]
