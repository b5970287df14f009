"""Requests on the short way (see `express`), and what to record of them once they are answered."""

from collections.abc import Sequence
from copy import copy
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from homeostat.serve.decoder import Asked
from homeostat.serve.door import Endpoint
from homeostat.serve.exchange import Request, Response
from homeostat.serve.heads import Reply
from homeostat.serve.lane import Lane
from homeostat.serve.manner import Batch, Manner
from homeostat.serve.record import PredictionRow, Recorded, bulks, microseconds
from homeostat.serve.recording import Recording
from homeostat.serve.table import TALL, Table
from homeostat.serve.tracing import Trail

_encode = msgspec.json.Encoder().encode


class Taken(msgspec.Struct, eq=False):
    """A request on this way, its rows of a batch once there is an answer, and the answer once it is worded."""

    endpoint: Endpoint
    manner: Manner
    request: Request
    asked: Asked
    wish: Any
    request_id: str
    reply: Reply
    start: float
    trail: Trail | None = None
    batch: Batch | None = None
    rows: slice = slice(0)
    response: Response | None = None


def rows_of(lane: Lane, requests: list[Taken], recording: Recording, *, received: datetime) -> Sequence[Recorded]:
    """Return what to record of answers."""
    kept = requests if recording.is_whole else [one for one in requests if recording.takes(one.request_id)]
    if not kept:
        return []
    batch = kept[0].batch
    assert batch is not None
    first = PredictionRow(
        request_id="",
        row=0,
        received=microseconds(received),
        version=lane.version,
        route="champion",
        status="ok",
        latency_ms=batch.seconds * 1e3,
        sample=None if recording.is_whole else recording.share,
    )
    if len(kept) == 1:
        return _each(lane, kept[0], first, recording)
    small = [one for one in kept if one.trail is None and one.asked.rows.table.height < TALL]
    heights = [one.asked.rows.table.height for one in small]
    if sum(heights) < TALL or not _are_one_batch(small):
        small = []
    found: list[Recorded] = []
    if small:
        found += _together(small, heights, copy(first), recording)
    if len(small) < len(kept):
        taken = {one.request_id for one in small}
        for one in kept:
            if one.request_id not in taken:
                found += _each(lane, one, copy(first), recording)
    return found


def _are_one_batch(requests: list[Taken]) -> bool:
    return len({one.batch.start for one in requests if one.batch is not None}) == 1


def _together(
    requests: list[Taken], heights: list[int], first: PredictionRow, recording: Recording
) -> Sequence[Recorded]:
    """Return the line to record of small requests of one batch, of so many rows each."""
    batch, total = requests[0].batch, sum(heights)
    assert batch is not None
    first.latency_ms = batch.seconds * 1e3
    asked = [one.asked for one in requests]
    ids = [one.request_id for one in requests]
    places = [0] * total
    if len(requests) < total:
        ids = [one for one, height in zip(ids, heights, strict=True) for _ in range(height)]
        places = [row for height in heights for row in range(height)]
    scores = None
    if batch.table is not None and batch.table.height == total:
        table, labels, scores = batch.table, batch.labels, batch.answer.scores
    else:
        parts = [(one.batch, one.rows) for one in requests if one.batch is not None]
        table = Table.join([one.rows.table for one in asked])
        labels = [label for part, rows in parts for label in part.labels[rows]]
        scored = [part.answer.scores[rows] for part, rows in parts if part.answer.scores is not None]
        scores = np.concatenate(scored) if scored else None
    return bulks(
        first,
        recording,
        table,
        labels,
        scores,
        keys=[one.key if key is None else key for one in asked for key in one.rows.keys],
        times=[time for one in asked for time in one.rows.times],
        request_ids=ids,
        places=places,
    )


def _each(lane: Lane, one: Taken, first: PredictionRow, recording: Recording) -> Sequence[Recorded]:
    """Return what to record of one request. `first`: what holds for all of its rows."""
    rows, batch, words = one.asked.rows, one.batch, lane.words
    assert batch is not None
    first.request_id, first.latency_ms = one.request_id, batch.seconds * 1e3
    first.trace = None if one.trail is None else one.trail.trace_id
    if rows.table.height >= TALL:
        return bulks(
            first,
            recording,
            rows.table,
            batch.labels[one.rows],
            None if batch.answer.scores is None else batch.answer.scores[one.rows],
            keys=rows.keys,
            times=rows.times,
            key=one.asked.key,
        )
    found = []
    for row, text in enumerate(recording.kept(rows.table).texts()):
        key, moment, place = rows.keys[row], rows.times[row], one.rows.start + row
        label = batch.labels[place]
        told = words.get(label)
        each = first if row == 0 else copy(first)
        each.row, each.features = row, text
        each.key = recording.key(one.asked.key if key is None else key)
        each.event_time = None if moment is None else microseconds(moment)
        each.prediction = _encode(label).decode() if told is None else told
        each.scores = None if batch.scores is None else batch.scores[place]
        found.append(each)
    return found
