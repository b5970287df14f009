"""The short way of the most frequent requests: rows for a champion that nobody is on trial beside.

Such a request is decoded as it arrives. A compiled champion evaluates it with whatever else arrived in the same turn of the event loop; any
other is asked in its process. What is answered in one turn is recorded in one write, and told. No task is made for a request; that halves
what it costs. Anything unusual (another version on trial, an id that the client chose, a deadline, Arrow, a body that is not as it should be) is
left to the ordinary way, which begins anew with the same bytes and says what there is to say.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from functools import partial

import msgspec

from homeostat.core.errors import HomeostatError
from homeostat.serve.answer import Overloaded, Question
from homeostat.serve.arrow import speaks_arrow
from homeostat.serve.batcher import Evaluated
from homeostat.serve.beside import MOST_BYTES
from homeostat.serve.door import Desk, Endpoint
from homeostat.serve.evaluator import refuse_unsound
from homeostat.serve.exchange import Request, Response
from homeostat.serve.headers import BROKEN
from homeostat.serve.heads import Reply, Take
from homeostat.serve.lane import Lane
from homeostat.serve.manner import Batch, Manner
from homeostat.serve.record import count, lines, number
from homeostat.serve.table import Table
from homeostat.serve.taken import Taken, rows_of
from homeostat.serve.tracing import Tracing

MOST_ROWS = 256  # of one request
log = logging.getLogger(__name__)
Refuse = Callable[[HomeostatError, Endpoint], Response]
Ordinary = Callable[[Request, Reply], None]

_encode = msgspec.json.Encoder().encode
_UNUSUAL = frozenset(["x-request-id", "x-request-timeout-ms", "x-caller", "traceparent"])


class Express:
    """`ordinary(request, reply)` answers what this cannot, `refuse(endpoint, error)` says an error as the endpoint does. To be used on the event loop of the plane."""

    def __init__(self, desk: Desk, ordinary: Ordinary, refuse: Refuse) -> None:
        self._desk = desk
        self._ordinary = ordinary
        self._refuse = refuse
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._waiting: dict[str, tuple[Lane, list[Taken]]] = {}
        self._answered: dict[int, tuple[Lane, list[Taken]]] = {}
        self._failing: set[asyncio.Task[None]] = set()
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
        except Exception:  # border: the ordinary way reads it by itself
            log.exception("serve.not_read", extra={"model": model, "path": endpoint.path})
            read = None
        if read is None:
            return False
        asked, wish = read
        if asked.request_id is not None or asked.rows.table.height > MOST_ROWS:
            return False
        taken = Taken(endpoint, manner, request, asked, wish, self._desk.new_id(), reply, start)
        if lane.model is None:
            try:
                future = lane.loaded.batcher.ask(asked.rows.table)
            except Overloaded:
                return False
            future.add_done_callback(partial(self._asked, lane, taken))
        else:
            self._wait(model, lane, taken)
        if self._tracing is not None:
            taken.trail = self._tracing.begin(
                None, model=model, request_id=taken.request_id, rows=asked.rows.table.height, start=start
            )
        return True

    # -- compiled models: evaluated here, with all that came in the same turn

    def _wait(self, model: str, lane: Lane, taken: Taken) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        found = self._waiting.get(model)
        if found is None or found[0] is not lane:
            if found is not None:
                self._flush_one(*found)
            found = self._waiting[model] = (lane, [])
        found[1].append(taken)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for lane, batch in waiting.values():
            self._flush_one(lane, batch)

    def _flush_one(self, lane: Lane, requests: list[Taken]) -> None:
        assert lane.model is not None
        start = time.perf_counter()
        try:
            table = Table.join([one.asked.rows.table for one in requests])
            found = lane.model.answer(table)
            refuse_unsound(found, table.height)
            batch = Batch.of(found, start=start, seconds=time.perf_counter() - start, height=table.height)
        except Exception:  # noqa: BLE001 - border: the ordinary way asks again, one by one, and words what happens
            for one in requests:
                self._ordinary(one.request, one.reply)
            return
        self._desk.plane.remember(lane.route.model, table)
        batch.table = table
        at = 0
        for one in requests:
            end = at + one.asked.rows.table.height
            one.batch, one.rows = batch, slice(at, end)
            at = end
        self._finish(lane, requests)

    # -- all others: asked in their process, where the batcher puts together what waits

    def _asked(self, lane: Lane, taken: Taken, future: "asyncio.Future[Evaluated]") -> None:
        """Take what the process said to a request; all that come in one turn are recorded together."""
        error = future.exception()
        if isinstance(error, Exception):
            task = self._loop.create_task(self._fail(lane, taken, error))
            self._failing.add(task)
            task.add_done_callback(self._failing.discard)
            return
        found = future.result()
        table = taken.asked.rows.table
        self._desk.plane.remember(lane.route.model, table)
        taken.batch = Batch.of(found.predictions, start=found.start, seconds=found.seconds, height=found.batch_rows)
        taken.rows = slice(0, table.height)
        if not self._answered:
            self._loop.call_soon(self._finish_all)
        self._answered.setdefault(id(lane), (lane, []))[1].append(taken)

    def _finish_all(self) -> None:
        answered, self._answered = self._answered, {}
        for lane, requests in answered.values():
            self._finish(lane, requests)

    async def _fail(self, lane: Lane, taken: Taken, error: Exception) -> None:
        """Record that the version could not answer, and say so: it is not asked again, the rows may be what it broke of."""
        rows = taken.asked.rows
        question = Question(
            model=lane.route.model,
            request_id=taken.request_id,
            table=rows.table,
            keys=rows.keys,
            times=rows.times,
            key=taken.asked.key,
            trail=taken.trail,
            trace=None if taken.trail is None else taken.trail.trace_id,
        )
        try:
            told = await self._desk.plane.fail(question, lane.loaded, error, start=taken.start)
        except HomeostatError as unrecorded:
            told = unrecorded
        except Exception:  # border: a request
            log.exception("serve.request_broke", extra=_whose(lane, taken))
            self._break(lane, taken)
            return
        response = self._refuse(told, taken.endpoint)
        if self._tracing is not None:
            _trace_failure(self._tracing, lane, taken, error, told.code)
        self._metrics.requested(taken.endpoint.path, response.status, time.perf_counter() - taken.start)
        taken.reply(response)

    # -- both: worded, recorded, then told

    def _finish(self, lane: Lane, requests: list[Taken]) -> None:
        """Word the answers, so that none is recorded that cannot be given; record them in one write; when they are kept, tell them."""
        worded = []
        for one in requests:
            assert one.batch is not None
            try:
                one.response = one.manner.tell(lane, one.request_id, one.batch, one.rows, one.wish)
            except Exception:  # border: a request
                log.exception("serve.request_broke", extra=_whose(lane, one))
                self._break(lane, one)
            else:
                worded.append(one)
        if worded:
            self._record(lane, worded)

    def _record(self, lane: Lane, requests: list[Taken]) -> None:
        is_handed_over = False

        def done(error: Exception | None) -> None:
            nonlocal is_handed_over
            is_handed_over = True
            if threading.get_ident() == self._thread:
                self._tell(lane, requests, error)
            else:
                self._loop.call_soon_threadsafe(self._tell, lane, requests, error)

        try:
            rows = rows_of(lane, requests, self._desk.plane.recording, received=self._desk.clock.now())
            if rows:
                record = self._desk.record
                number(rows, record.stamps(count(rows)))
                record.submit(lane.route.model, lines(rows), done)
            else:
                done(None)
        except Exception as error:  # border: the ordinary way records them one by one
            if is_handed_over:
                raise
            log.exception("serve.not_recorded", extra={"model": lane.route.model, "requests": len(requests)})
            done(error)

    def _break(self, lane: Lane, taken: Taken) -> None:
        """Say that the server made a mistake with a request; nothing is recorded of it."""
        if self._tracing is not None:
            _trace_failure(self._tracing, lane, taken, None, "internal")
        self._metrics.requested(taken.endpoint.path, BROKEN.status, time.perf_counter() - taken.start)
        taken.reply(BROKEN)

    def _tell(self, lane: Lane, requests: list[Taken], error: Exception | None) -> None:
        """Tell everyone, or let the ordinary way say why it could not be recorded."""
        if error is not None:
            for one in requests:
                self._ordinary(one.request, one.reply)
            return
        now = time.perf_counter()
        together: dict[tuple[float, str], list[Taken]] = {}
        for one in requests:
            batch = one.batch
            assert batch is not None
            assert one.response is not None
            one.reply(one.response)
            together.setdefault((batch.start, one.endpoint.path), []).append(one)
            if self._tracing is not None:
                _trace(self._tracing, lane, one, now)
        metrics = self._metrics
        series = metrics.series(lane.route.model, lane.version, "champion")
        for (began, path), alike in together.items():
            series.answered_together(metrics.endpoint(path), [one.start for one in alike], began, now)
            batch = alike[0].batch
            assert batch is not None
            rows = sum([one.asked.rows.table.height for one in alike])
            series.evaluated("ok", len(alike), rows, batch.height, batch.seconds)


def _whose(lane: Lane, one: Taken) -> dict[str, object]:
    """Return what a log says of a request."""
    return {
        "path": one.endpoint.path,
        "model": lane.route.model,
        "version": lane.version,
        "request_id": one.request_id,
    }


def _trace(tracing: Tracing, lane: Lane, one: Taken, now: float) -> None:
    """Tell of a request that was answered, where it is traced."""
    trail, batch = one.trail, one.batch
    if trail is None or batch is None:
        return
    evaluated = batch.start + batch.seconds
    trail.version, trail.route = lane.version, "champion"
    trail.evaluated(one.start, max(0.0, batch.start - one.start), evaluated, lane.version)
    trail.recorded(evaluated, now)
    trail.end = time.perf_counter()
    tracing.tell(trail)


def _trace_failure(tracing: Tracing, lane: Lane, one: Taken, error: Exception | None, code: str) -> None:
    trail = one.trail
    if trail is None:
        return
    trail.version, trail.route, trail.error = lane.version, "champion", code
    trail.end = time.perf_counter()
    trail.evaluated(one.start, 0.0, trail.end, lane.version, None if error is None else type(error).__name__)
    tracing.tell(trail)
