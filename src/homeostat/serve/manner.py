"""How a door's most frequent requests are read and told on the short way (see `express`): a plug-in of an endpoint."""

from collections.abc import Callable
from typing import Any

import msgspec

from homeostat.serve.decoder import Asked
from homeostat.serve.exchange import Request, Response
from homeostat.serve.lane import Lane
from homeostat.serve.table import Table
from homeostat.track.predictions import Predictions


class Batch(msgspec.Struct, eq=False, gc=False):
    """What a model said to all requests of a batch, as arrays and as lists: slicing lists costs less, for a few rows.

    `height`: rows of the whole batch; the answer may be of some of them. `table`: what the model was asked, where it was asked here.
    """

    answer: Predictions
    labels: list[Any]
    scores: list[list[float]] | None
    start: float
    seconds: float
    height: int
    table: Table | None = None

    @classmethod
    def of(cls, answer: Predictions, *, start: float, seconds: float, height: int) -> "Batch":
        """Return it, its arrays put into lists."""
        scores = None if answer.scores is None else answer.scores.tolist()
        return cls(answer, answer.labels.tolist(), scores, start, seconds, height)


class Manner(msgspec.Struct, frozen=True):
    """`read(lane, request)`: its rows, and what `tell` wants to know besides; None or a HomeostatError where the ordinary way shall read it.

    `tell(lane, request_id, batch, rows, wish)`: the response for some rows of the batch. `wish`: what `read` returned besides.
    """

    read: Callable[[Lane, Request], tuple[Asked, Any] | None]
    tell: Callable[[Lane, str, Batch, slice, Any], Response]
