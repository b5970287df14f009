"""The short way of our own protocol: rows as JSON objects."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from homeostat.serve.decoder import Asked
from homeostat.serve.exchange import Request, Response
from homeostat.serve.lane import Lane
from homeostat.serve.manner import Batch, Manner

_encode = msgspec.json.Encoder().encode


class _Said(msgspec.Struct, gc=False):
    request_id: str
    model: str
    version: int
    predictions: list[Any]


class _Label(msgspec.Struct, gc=False):
    prediction: Any


class _Scored(msgspec.Struct, gc=False):
    prediction: Any
    probabilities: Any


def _read(lane: Lane, request: Request) -> tuple[Asked, None]:
    return lane.decoder.body(request.body), None


def _tell(lane: Lane, request_id: str, batch: Batch, rows: slice, wish: None) -> Response:
    del wish
    labels = batch.labels[rows]
    if batch.scores is None:
        told: list[Any] = [_Label(label) for label in labels]
    else:
        named = _named(lane.names)
        scores = batch.scores[rows]
        told = [_Scored(label, named(*each)) for label, each in zip(labels, scores, strict=True)]
    return Response(body=_encode(_Said(request_id, lane.route.model, lane.version, told)))


@lru_cache(maxsize=64)
def _named(names: tuple[str, ...]) -> Callable[..., Any]:
    """Return what puts names to the probabilities of a row: a type of their own is made and encoded in half a dictionary's time."""
    fields = [f"f{at}" for at in range(len(names))]
    try:
        found: Callable[..., Any] = msgspec.defstruct(
            "Probabilities", [(f, float) for f in fields], rename=dict(zip(fields, names, strict=True)), gc=False
        )
    except ValueError:  # names that need escapes, or are one for several classes
        return lambda *each: dict(zip(names, each, strict=True))
    return found


QUICK = Manner(_read, _tell)
