"""The short way of the most frequent requests: rows for a compiled champion that nobody is on trial beside.

Such a request needs nobody to wait for: it is decoded as it arrives, evaluated with whatever else arrived in the same turn of the event loop,
recorded with them in one write, and answered. No task is made and no future; that halves what a request costs. Anything unusual (another
version on trial, an id that the client chose, a deadline, Arrow, a fault of any kind) is left to the ordinary way, which begins anew with the
same bytes and says what there is to say.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from copy import copy
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
from homeostat.serve.exchange import Request
from homeostat.serve.heads import Reply, Take
from homeostat.serve.lane import Lane
from homeostat.serve.manner import Batch, Manner
from homeostat.serve.record import PredictionRow, Recorded, bulks, lines, microseconds, number
from homeostat.serve.recording import Recording
from homeostat.serve.table import TALL, Table
from homeostat.serve.tracing import Tracing, Trail

MOST_ROWS = 256  # of one request
Ordinary = Callable[[Request, Reply], None]

_encode = msgspec.json.Encoder().encode
_UNUSUAL = frozenset(["x-request-id", "x-request-timeout-ms", "x-caller", "traceparent"])


class _Taken(msgspec.Struct, eq=False):
    endpoint: Endpoint
    manner: Manner
    request: Request
    asked: Asked
    wish: Any
    request_id: str
    reply: Reply
    start: float
    trail: Trail | None = None


class Express:
    """`ordinary(request, reply)` answers what this cannot. To be used on the event loop of the plane."""

    def __init__(self, desk: Desk, ordinary: Ordinary) -> None:
        self._desk = desk
        self._ordinary = ordinary
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._waiting: dict[str, tuple[Lane, list[_Taken]]] = {}
        self._metrics = desk.plane.metrics
        self._tracing = desk.plane.tracing

    def way(self, endpoint: Endpoint, model: str, head: Request) -> Take | None:
        """Return what takes requests for the model with this head, None where the endpoint has no such way, or the head asks for more than it has."""
        is_usual = _UNUSUAL.isdisjoint(head.headers) and not speaks_arrow(head.headers)
        if endpoint.quick is None or not is_usual:
            return None
        return partial(self._take, endpoint, endpoint.quick, model)

    def _take(self, endpoint: Endpoint, manner: Manner, model: str, request: Request, reply: Reply) -> bool:
        """Return whether the request goes this way; then `reply` is called with its answer."""
        lane = self._desk.plane.lane(model)
        if lane is None or len(request.body) > MOST_BYTES:
            return False
        start = time.perf_counter()
        try:
            read = manner.read(lane, request)
        except HomeostatError:
            return False
        if read is None:
            return False
        asked, wish = read
        if asked.request_id is not None or asked.rows.table.height > MOST_ROWS:
            return False
        if not self._waiting:
            self._loop.call_soon(self._flush)
        found = self._waiting.get(model)
        if found is None or found[0] is not lane:
            if found is not None:
                self._flush_one(*found)
            found = self._waiting[model] = (lane, [])
        taken = _Taken(endpoint, manner, request, asked, wish, self._desk.new_id(), reply, start)
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
        said = Batch(
            found, found.labels.tolist(), None if found.scores is None else found.scores.tolist(), start, seconds
        )
        rows = _rows(lane, batch, said, self._desk.plane.recording, received=self._desk.clock.now())
        if not rows:
            self._answer(lane, batch, said, None)
            return
        record = self._desk.record
        number(rows, record.stamps(table.height))

        def done(error: HomeostatError | None) -> None:
            if threading.get_ident() == self._thread:
                self._answer(lane, batch, said, error)
            else:
                self._loop.call_soon_threadsafe(self._answer, lane, batch, said, error)

        record.submit(lane.route.model, lines(rows), done)

    def _answer(self, lane: Lane, batch: list[_Taken], said: Batch, error: HomeostatError | None) -> None:
        """Tell everyone, or let the ordinary way say why it could not be recorded."""
        if error is not None:
            for one in batch:
                self._ordinary(one.request, one.reply)
            return
        at, now = 0, time.perf_counter()
        for one in batch:
            end = at + one.asked.rows.table.height
            one.reply(one.manner.tell(lane, one.request_id, said, slice(at, end), one.wish))
            at = end
        if self._tracing is not None:
            _tell(self._tracing, lane, batch, said, now)
        metrics = self._metrics
        series = metrics.series(lane.route.model, lane.version, "champion")
        starts: dict[str, list[float]] = {}
        for one in batch:
            starts.setdefault(one.endpoint.path, []).append(one.start)
        for path, each in starts.items():
            series.answered_together(metrics.endpoint(path), each, said.start, now)
        series.evaluated("ok", len(batch), at, at, said.seconds)


def _tell(tracing: Tracing, lane: Lane, batch: list[_Taken], said: Batch, now: float) -> None:
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


def _rows(lane: Lane, batch: list[_Taken], said: Batch, recording: Recording, *, received: datetime) -> list[Recorded]:
    """Return what to record of a batch."""
    at, number, latency_ms = microseconds(received), 0, said.seconds * 1e3
    sample = None if recording.is_whole else recording.share
    words, labels, scores = lane.words, said.labels, said.scores
    found: list[Recorded] = []
    for one in batch:
        rows = one.asked.rows
        start, number = number, number + rows.table.height
        if not recording.takes(one.request_id):
            continue
        first = PredictionRow(
            request_id=one.request_id,
            row=0,
            received=at,
            version=lane.version,
            route="champion",
            status="ok",
            latency_ms=latency_ms,
            trace=None if one.trail is None else one.trail.trace_id,
            sample=sample,
        )
        if rows.table.height >= TALL:
            found += bulks(
                first,
                recording,
                rows.table,
                labels[start:number],
                None if said.answer.scores is None else said.answer.scores[start:number],
                keys=rows.keys,
                times=rows.times,
                key=one.asked.key,
            )
            continue
        for row, text in enumerate(recording.kept(rows.table).texts()):
            key, moment, label = rows.keys[row], rows.times[row], labels[start + row]
            told = words.get(label)
            each = first if row == 0 else copy(first)
            each.row, each.features = row, text
            each.key = recording.key(one.asked.key if key is None else key)
            each.event_time = None if moment is None else microseconds(moment)
            each.prediction = _encode(label).decode() if told is None else told
            each.scores = None if scores is None else scores[start + row]
            found.append(each)
    return found
