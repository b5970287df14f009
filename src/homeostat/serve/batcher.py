"""Requests that meet are evaluated together, and no request waits for others to come.

A compiled model takes what arrived in one turn of the event loop. Any other has one batch under way; what comes meanwhile is the next one. A
lone request is evaluated at once in both. Where a batch fails, its requests are asked one by one: a row that breaks the model, or ends its
process, breaks its own request only. Where a model's process is away, patient requests wait until it is back.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import msgspec

from homeostat.core.errors import HomeostatError
from homeostat.serve.answer import Overloaded, VersionDown
from homeostat.serve.evaluator import Evaluator, ModelError, Quick, refuse_unsound
from homeostat.serve.table import Table
from homeostat.track.predictions import Predictions

log = logging.getLogger(__name__)
MOST_ROWS = 4096  # of one batch; a single request may have more
_AGAIN = 2  # a process that was killed by somebody else is there the next time; a request that ended it twice is refused by then
INLINE_ROWS = 1024  # a compiled model answers so many within a millisecond or two: more go to a thread


class Evaluated(msgspec.Struct, eq=False):
    """`start` (of `time.perf_counter`), `seconds` and `batch_rows` are of the whole batch."""

    predictions: Predictions
    start: float
    seconds: float
    batch_rows: int


_Waiting = tuple[Table, "asyncio.Future[Evaluated]"]
_Queued = tuple[Table, "asyncio.Future[Evaluated]", bool]


class Batcher(Protocol):
    def ask(self, table: Table, *, patient: bool = True) -> "asyncio.Future[Evaluated]":
        """Return the future answer: an Evaluated, or ModelError or VersionDown. Raises Overloaded where too many wait already.

        `patient`: wait for a process that is being started again, rather than be told so at once.
        """

    @property
    def waiting(self) -> int: ...
    def abort(self) -> None: ...
    async def close(self) -> None: ...


class TickBatcher:
    """For compiled models."""

    def __init__(self, model: Quick, *, queue: int) -> None:
        self._model = model
        self._loop = asyncio.get_running_loop()
        self._queue = queue
        self._waiting: list[_Waiting] = []
        self._in_threads = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting) + self._in_threads

    def ask(self, table: Table, *, patient: bool = True) -> "asyncio.Future[Evaluated]":
        del patient  # it has no process to wait for
        if len(self._waiting) + self._in_threads >= self._queue:
            raise _overloaded(self._queue)
        future: asyncio.Future[Evaluated] = self._loop.create_future()
        if table.height > INLINE_ROWS:
            self._in_threads += 1
            self._loop.run_in_executor(None, self._timed, table).add_done_callback(
                lambda done: self._told(done, future)
            )
            return future
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append((table, future))
        return future

    def _told(self, done: "asyncio.Future[Evaluated]", future: "asyncio.Future[Evaluated]") -> None:
        self._in_threads -= 1
        if future.done():
            return
        error = done.exception()
        if error is None:
            future.set_result(done.result())
        else:
            future.set_exception(ModelError(type(error).__name__, str(error)))

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for batch in _parts(waiting, INLINE_ROWS):
            self._evaluate(batch)

    def _evaluate(self, batch: list[_Waiting]) -> None:
        try:
            found = self._timed(Table.join([table for table, _ in batch]))
        except Exception as error:  # noqa: BLE001 - border: the runtime of compiled models raises what it likes
            if len(batch) > 1:
                for one in batch:
                    self._evaluate([one])
            elif not batch[0][1].done():
                batch[0][1].set_exception(ModelError(type(error).__name__, str(error)))
            return
        _hand_out(batch, found)

    def _timed(self, table: Table) -> Evaluated:
        start = time.perf_counter()
        predictions = self._model.answer(table)
        refuse_unsound(predictions, table.height)
        return Evaluated(predictions, start, time.perf_counter() - start, table.height)

    def abort(self) -> None:
        """Nothing to give up: it does not hang."""

    async def close(self) -> None:
        while self.waiting:  # noqa: ASYNC110 - a moment, at the end of a version's life
            await asyncio.sleep(0.005)


class QueueBatcher:
    """For everything else: one batch at a time, each at most `timeout_s`."""

    def __init__(self, evaluator: Evaluator, *, queue: int, timeout_s: float) -> None:
        self._evaluator = evaluator
        self._loop = asyncio.get_running_loop()
        self._queue = queue
        self._timeout_s = timeout_s
        self._waiting: deque[_Queued] = deque()
        self._pump: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def ask(self, table: Table, *, patient: bool = True) -> "asyncio.Future[Evaluated]":
        if len(self._waiting) >= self._queue:
            raise _overloaded(self._queue)
        future: asyncio.Future[Evaluated] = self._loop.create_future()
        if not patient and (down := self._evaluator.down()) is not None:
            _refuse([(table, future)], down)
            return future
        self._waiting.append((table, future, patient))
        if self._pump is None:
            self._pump = self._loop.create_task(self._work())
        return future

    async def _work(self) -> None:
        while self._waiting:
            if self._evaluator.down() is not None:
                await self._outage()
            batch: list[_Waiting] = []
            rows, is_patient = 0, True
            alone = self._evaluator.is_half_open  # one request tells whether it answers again
            while self._waiting and (not batch or (not alone and _goes_with(batch[0][0], self._waiting[0][0], rows))):
                table, future, patient = self._waiting.popleft()
                rows += table.height
                batch.append((table, future))
                is_patient = is_patient and patient
            await self._settle(batch, again=_AGAIN if is_patient else 0)
        self._pump = None

    async def _settle(self, batch: list[_Waiting], *, again: int) -> None:
        """Ask for a batch. What breaks our own code ends nothing but its own request: the others are asked, and what comes behind them."""
        try:
            wanted = self._to_ask(batch)
            if wanted:
                await self._evaluate(wanted, again=again)
        except Exception as error:  # border: requests
            if len(batch) > 1:
                for one in batch:
                    await self._settle([one], again=again)
                return
            log.exception("serve.batch_broke", extra={"kind": self._evaluator.kind, "rows": batch[0][0].height})
            _refuse(batch, ModelError(type(error).__name__, str(error)))

    async def _outage(self) -> None:
        """Let who is patient wait until the evaluator is back, no longer than a batch may take; tell all others."""
        self._refuse_waiting(only_impatient=True)
        await self._evaluator.until_up(self._timeout_s)
        self._refuse_waiting(only_impatient=False)

    def _refuse_waiting(self, *, only_impatient: bool) -> None:
        down = self._evaluator.down()
        if down is None:
            return
        told = [one for one in self._waiting if not (only_impatient and one[2])]
        _refuse([(table, future) for table, future, _ in told], down)
        self._waiting = deque(one for one in self._waiting if not one[1].done())

    async def _evaluate(self, batch: list[_Waiting], *, again: int) -> None:
        """Ask. Where the process ends over it, ask `again` so many times, one by one: then it is known who is to blame."""
        table = Table.join([table for table, _ in batch])
        start = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_s):
                predictions = await self._evaluator.evaluate(table)
        except TimeoutError:
            self._evaluator.abort()
            if again and len(batch) > 1:
                await self._one_by_one(batch, again=again)
            reason = f"no answer within {self._timeout_s:g} s"
            _refuse(batch, VersionDown(reason, hint="its process is started anew; serve.timeout is the limit"))
        except VersionDown as error:
            if again:
                await self._one_by_one(batch, again=again if len(batch) > 1 else again - 1)
            _refuse(batch, error)
        except HomeostatError as error:
            _refuse(batch, error)
        except ModelError as error:
            if len(batch) > 1:
                await self._one_by_one(batch, again=again)
            _refuse(batch, error)
        else:
            _hand_out(batch, Evaluated(predictions, start, time.perf_counter() - start, table.height))

    async def _one_by_one(self, batch: list[_Waiting], *, again: int) -> None:
        for one in batch:
            if self._evaluator.down() is not None:
                await self._outage()
            if (down := self._evaluator.down()) is not None:
                _refuse([one], down)
            elif self._to_ask([one]):
                await self._evaluate([one], again=again)

    def _to_ask(self, batch: list[_Waiting]) -> list[_Waiting]:
        """Return whom to ask for: not for who is gone, nor, once that is known, for what ends the process."""
        wanted = []
        for one in batch:
            if (known := self._evaluator.refused(one[0])) is not None:
                _refuse([one], known)
            elif not one[1].done():
                wanted.append(one)
        return wanted

    def abort(self) -> None:
        self._evaluator.abort()

    async def close(self) -> None:
        """Wait for what was asked, and let the evaluator go."""
        if self._pump is not None:
            await asyncio.wait({self._pump})
        await self._evaluator.close()


def _parts(waiting: list[_Waiting], most: int) -> list[list[_Waiting]]:
    """Return the requests in batches of at most so many rows, where single ones are no larger."""
    if sum(table.height for table, _ in waiting) <= most:
        return [waiting] if waiting else []
    parts: list[list[_Waiting]] = [[]]
    rows = 0
    for one in waiting:
        if rows + one[0].height > most and parts[-1]:
            parts.append([])
            rows = 0
        parts[-1].append(one)
        rows += one[0].height
    return parts


def _goes_with(first: Table, table: Table, rows: int) -> bool:
    """Return whether a request is asked together with those before it, of so many rows; params are of one request."""
    return rows + table.height <= MOST_ROWS and not first.params and not table.params


def _hand_out(batch: Sequence[_Waiting], found: Evaluated) -> None:
    """Give each request its rows of the answer."""
    if len(batch) == 1:
        if not batch[0][1].done():
            batch[0][1].set_result(found)
        return
    at, whole = 0, found.predictions
    for table, future in batch:
        end = at + table.height
        if not future.done():
            scores = None if whole.scores is None else whole.scores[at:end]
            mine = Predictions(labels=whole.labels[at:end], scores=scores, classes=whole.classes)
            future.set_result(Evaluated(mine, found.start, found.seconds, found.batch_rows))
        at = end


def _refuse(batch: Sequence[_Waiting], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
            future.exception()  # who has gone does not fetch it


def _overloaded(queue: int) -> Overloaded:
    return Overloaded(
        f"{queue} requests wait for this model already",
        hint="ask again in a second, or raise serve.queue or serve.workers",
    )
