"""The record as the event loop sees it: rows of requests that meet are written together, and each waits for its own."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from homeostat.core.errors import HomeostatError
from homeostat.core.values import Json
from homeostat.serve.beside import MOST_ROWS
from homeostat.serve.record import Recorded, count, lines, number


class Writes(Protocol):
    """What serving needs of the record (`core.ports.record_log.RecordLog`)."""

    def write(self, kind: str, rows: Sequence[Json]) -> None: ...
    def submit(self, model: str, lines: bytes, done: Callable[[HomeostatError | None], None]) -> None: ...
    def stamps(self, count: int) -> int: ...


class Recorder:
    """Collects what one turn of the event loop has to record."""

    def __init__(self, record: Writes) -> None:
        self._record = record
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._waiting: dict[str, list[tuple[Sequence[Recorded], asyncio.Future[None]]]] = {}

    def write(self, model: str, rows: Sequence[Recorded]) -> "asyncio.Future[None]":
        """Return a future that is done when the rows are durable, or has the reason why they are not."""
        future: asyncio.Future[None] = self._loop.create_future()
        if count(rows) > MOST_ROWS:
            self._loop.run_in_executor(None, self._submit, model, rows, [future])
            return future
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.setdefault(model, []).append((rows, future))
        return future

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for model, batch in waiting.items():
            rows = [row for mine, _ in batch for row in mine]
            self._submit(model, rows, [future for _, future in batch])

    def _submit(self, model: str, rows: Sequence[Recorded], futures: "Sequence[asyncio.Future[None]]") -> None:
        """Hand rows to the record, on the event loop or in a thread."""
        tell = self._teller(futures)
        try:
            number(rows, self._record.stamps(count(rows)))
            self._record.submit(model, lines(rows), tell)
        except Exception as error:  # noqa: BLE001 - border: each request says it to its client
            tell(error)

    def _teller(self, futures: Sequence["asyncio.Future[None]"]) -> Callable[[Exception | None], None]:
        def done(error: Exception | None) -> None:
            if threading.get_ident() == self._thread:
                _tell(futures, error)
            else:
                self._loop.call_soon_threadsafe(_tell, futures, error)

        return done


def _tell(futures: Sequence["asyncio.Future[Any]"], error: Exception | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
