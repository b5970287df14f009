"""The short way of the most frequent request: rows for a compiled champion that nobody is on trial beside.

Such a request needs nobody to wait for: it is decoded as it arrives, evaluated with whatever else arrived in the same turn of the event loop,
recorded with them in one write, and answered. No task is made and no future; that halves what a request costs. Anything unusual (another
version on trial, an id that the client chose, a deadline, Arrow, a fault of any kind) is left to the ordinary way, which begins anew with the
same bytes and says what there is to say.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from homeostat.core.errors import HomeostatError
from homeostat.serve.arrow import speaks_arrow
from homeostat.serve.beside import MOST_BYTES
from homeostat.serve.decoder import Asked
from homeostat.serve.door import Desk, Endpoint
from homeostat.serve.evaluator import refuse_unsound
from homeostat.serve.exchange import Request, Response
from homeostat.serve.heads import Reply, Take
from homeostat.serve.lane import Lane
from homeostat.serve.record import PredictionRow, lines, microseconds
from homeostat.serve.recording import Recording
from homeostat.serve.table import Table
from homeostat.serve.tracing import Tracing, Trail

MOST_ROWS = 256  # of one request
Ordinary = Callable[[Request, Reply], None]

_encode = msgspec.json.Encoder().encode
_UNUSUAL = frozenset(["x-request-id", "x-request-timeout-ms", "x-caller", "traceparent"])


class _Said(msgspec.Struct, eq=False):
    labels: list[Any]
    scores: list[list[float]] | None
    start: float
    seconds: float


class _Taken(msgspec.Struct, eq=False):
    request: Request
    asked: Asked
    request_id: str
    reply: Reply
    start: float
    trail: Trail | None = None


class Express:
    """`ordinary(request, reply)` answers what this cannot. To be used on the event loop of the plane."""

    def __init__(self, desk: Desk, endpoint: Endpoint, ordinary: Ordinary) -> None:
        self._desk = desk
        self._pattern = endpoint.path
        self._ordinary = ordinary
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._waiting: dict[str, tuple[Lane, list[_Taken]]] = {}
        self._metrics = desk.plane.metrics
        self._tracing = desk.plane.tracing

    def way(self, model: str, head: Request) -> Take | None:
        """Return what takes requests for the model with this head, None where the head asks for more than this way has."""
        is_usual = _UNUSUAL.isdisjoint(head.headers) and not speaks_arrow(head.headers)
        return partial(self._take, model) if is_usual else None

    def _take(self, model: str, request: Request, reply: Reply) -> bool:
        """Return whether the request goes this way; then `reply` is called with its answer."""
        lane = self._desk.plane.lane(model)
        if lane is None or len(request.body) > MOST_BYTES:
            return False
        start = time.perf_counter()
        try:
            asked = lane.decoder.body(request.body)
        except HomeostatError:
            return False
        if asked.request_id is not None or asked.rows.table.height > MOST_ROWS:
            return False
        if not self._waiting:
            self._loop.call_soon(self._flush)
        found = self._waiting.get(model)
        if found is None or found[0] is not lane:
            if found is not None:
                self._flush_one(*found)
            found = self._waiting[model] = (lane, [])
        taken = _Taken(request, asked, self._desk.new_id(), reply, start)
        if self._tracing is not None:
            taken.trail = self._tracing.begin(
                None, model=model, request_id=taken.request_id, rows=asked.rows.table.height, start=start
            )
        found[1].append(taken)
        return True

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for lane, batch in waiting.values():
            self._flush_one(lane, batch)

    def _flush_one(self, lane: Lane, batch: list[_Taken]) -> None:
        start = time.perf_counter()
        table = Table.join([one.asked.rows.table for one in batch])
        try:
            found = lane.model.answer(table)
            refuse_unsound(found, table.height)
        except Exception:  # noqa: BLE001 - border: the ordinary way asks again, one by one, and words what happens
            for one in batch:
                self._ordinary(one.request, one.reply)
            return
        seconds = time.perf_counter() - start
        self._desk.plane.remember(lane.route.model, table)
        said = _Said(found.labels.tolist(), None if found.scores is None else found.scores.tolist(), start, seconds)
        recording = self._desk.plane.recording
        rows = _rows(lane, batch, said, recording, received=self._desk.clock.now())
        if not rows:
            self._answer(lane, batch, said, None)
            return
        record = self._desk.record
        seq = record.stamps(len(rows))
        for at, row in enumerate(rows):
            row.seq = seq + at
        name = lane.route.model

        def done(error: HomeostatError | None) -> None:
            if threading.get_ident() == self._thread:
                self._answer(lane, batch, said, error)
            else:
                self._loop.call_soon_threadsafe(self._answer, lane, batch, said, error)

        record.submit(name, lines(rows), done)

    def _answer(self, lane: Lane, batch: list[_Taken], said: _Said, error: HomeostatError | None) -> None:
        """Tell everyone, or let the ordinary way say why it could not be recorded."""
        if error is not None:
            for one in batch:
                self._ordinary(one.request, one.reply)
            return
        model, version, names, metrics = lane.route.model, lane.version, lane.names, self._metrics
        labels, scores = said.labels, said.scores
        series = metrics.series(model, version, "champion")
        at, now = 0, time.perf_counter()
        for one in batch:
            end = at + one.asked.rows.table.height
            told: list[dict[str, Any]]
            if scores is None:
                told = [{"prediction": label} for label in labels[at:end]]
            else:
                told = [
                    {"prediction": labels[i], "probabilities": dict(zip(names, scores[i], strict=True))}
                    for i in range(at, end)
                ]
            body = _encode({"request_id": one.request_id, "model": model, "version": version, "predictions": told})
            one.reply(Response(body=body))
            at = end
        if self._tracing is not None:
            _tell(self._tracing, lane, batch, said, now)
        series.answered_together(metrics.endpoint(self._pattern), [one.start for one in batch], said.start, now)
        series.evaluated("ok", len(batch), at, at, said.seconds)


def _tell(tracing: Tracing, lane: Lane, batch: list[_Taken], said: _Said, now: float) -> None:
    """Tell of the requests of a batch that are traced."""
    evaluated = said.start + said.seconds
    for one in batch:
        if one.trail is not None:
            trail = one.trail
            trail.version, trail.route = lane.version, "champion"
            trail.evaluated(one.start, said.start - one.start, evaluated, lane.version)
            trail.recorded(evaluated, now)
            trail.end = time.perf_counter()
            tracing.tell(trail)


def _rows(
    lane: Lane, batch: list[_Taken], said: _Said, recording: Recording, *, received: datetime
) -> list[PredictionRow]:
    """Return what to record of a batch."""
    at, number, latency_ms = microseconds(received), 0, said.seconds * 1e3
    sample = None if recording.is_whole else recording.share
    words, labels, scores = lane.words, said.labels, said.scores
    found = []
    for one in batch:
        rows = one.asked.rows
        if not recording.takes(one.request_id):
            number += rows.table.height
            continue
        for row, text in enumerate(recording.texts(rows.table)):
            key, moment, label = rows.keys[row], rows.times[row], labels[number]
            told = words.get(label)
            found.append(
                PredictionRow(
                    request_id=one.request_id,
                    row=row,
                    received=at,
                    version=lane.version,
                    route="champion",
                    status="ok",
                    latency_ms=latency_ms,
                    key=recording.key(one.asked.key if key is None else key),
                    event_time=None if moment is None else microseconds(moment),
                    features=text,
                    prediction=_encode(label).decode() if told is None else told,
                    scores=None if scores is None else scores[number],
                    trace=None if one.trail is None else one.trail.trace_id,
                    sample=sample,
                )
            )
            number += 1
    return found
