"""The one writer: changes that wait together are committed together, so that many clients share the price of one flush to disk."""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import InvalidInput, Unreachable

if TYPE_CHECKING:
    from homeostat.storage.sql.transaction import SqlTransaction

log = logging.getLogger(__name__)

Done = Callable[[Any, BaseException | None], None]
_Job = tuple[Callable[[Any], Any], Done]
_MOST_TOGETHER = 128


class GroupWriter:
    """Runs queued changes in one thread, which the first change starts. Safe to use from several threads."""

    def __init__(self, write: Callable[[], "AbstractContextManager[SqlTransaction]"]) -> None:
        self._write = write
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def submit(self, change: Callable[[Any], Any], done: Done) -> None:
        """Queue the change; `done` is called in the writer's thread."""
        with self._starting:
            if self._is_closed:
                raise Unreachable("the store is closed", hint="open it again")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
                self._thread.start()
            self._jobs.put((change, done))

    def close(self) -> None:
        """Write what is queued, and end the thread."""
        with self._starting:
            thread, self._is_closed = self._thread, True
            self._jobs.put(None)
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while self._commit_next():
            pass

    def _commit_next(self) -> bool:
        """Return whether to go on. Has a frame of its own: while the thread waits, nothing of the last batch (and its errors) is kept alive."""
        first = self._jobs.get()
        if first is None:
            return False
        batch, is_last = [first], False
        while len(batch) < _MOST_TOGETHER:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                is_last = True
                break
            batch.append(job)
        self._commit(batch)
        return not is_last

    def _commit(self, batch: list[_Job]) -> None:
        outcomes: list[tuple[Any, BaseException | None]]
        try:
            with self._write() as tx:
                outcomes = [(self._alone if len(batch) == 1 else self._one)(tx, change) for change, _ in batch]
        except BaseException as error:  # noqa: BLE001 - the border of a job: whoever asked for the change gets the error
            outcomes = [(None, error)] * len(batch)
        for (_, done), (result, problem) in zip(batch, outcomes, strict=True):
            try:
                done(result, problem)
            except (
                Exception
            ):  # the border of the writer's thread: one caller's failure must not leave the others unanswered
                log.exception("writer.done_failed")

    def _alone(self, tx: "SqlTransaction", change: Callable[[Any], Any]) -> tuple[Any, BaseException | None]:
        return change(tx), None  # an error undoes the whole transaction, which is this change

    def _one(self, tx: "SqlTransaction", change: Callable[[Any], Any]) -> tuple[Any, BaseException | None]:
        tx.savepoint()
        try:
            result = change(tx)
        except Exception as error:  # noqa: BLE001 - as above; the other changes of the transaction are not concerned
            tx.roll_back_to_savepoint()
            return None, told(error)
        tx.release_savepoint()
        return result, None


def told(error: BaseException) -> BaseException:
    """Return what to say instead of a database's error about a value, SQLAlchemy's or the driver's own; other errors as they are."""
    cause = getattr(error, "orig", None) or error
    is_about_value = isinstance(error, OverflowError) or any(
        kind.__name__ == "DataError" for kind in type(error).__mro__
    )
    if not is_about_value:
        return error
    found = InvalidInput(
        f"the database cannot keep this: {str(cause).splitlines()[0]}",
        hint="leave NUL characters out of texts, and keep numbers within 64 bits",
    )
    found.__cause__ = error
    return found
