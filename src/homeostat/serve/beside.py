"""Work beside the answer: a bounded queue and a thread for shadows, and a deadline for code that may hang."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")


class Background:
    """Runs tasks one after the other in a thread of its own, which starts with the first. Thread-safe.

    Takes tasks while their weights sum to at most `most`: what comes under too much load is refused, never waited for.
    """

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._tasks: deque[tuple[int, Callable[[], None]]] = deque()
        self._weight = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def submit(self, task: Callable[[], None], *, weight: int = 1) -> bool:
        """Return whether the task was taken. A task heavier than all that is allowed is taken when nothing else waits."""
        with self._changed:
            if self._is_closed or (self._weight and self._weight + weight > self._most):
                return False
            self._tasks.append((weight, task))
            self._weight += weight
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="homeostat-shadows", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return True

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until everything taken so far is done; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._weight, timeout_s)

    def close(self, timeout_s: float | None = None) -> bool:
        """Take nothing more, wait for what was taken, and return whether all of it was done."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        return self.flush(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._tasks or self._is_closed)
                if not self._tasks:
                    return
                weight, task = self._tasks.popleft()
            try:
                task()
            except Exception:  # border: a task that fails must not end the thread for those behind it
                log.exception("serve.background_task_failed")
            with self._changed:
                self._weight -= weight
                self._changed.notify_all()


def within(timeout_s: float, function: Callable[[], T]) -> T:
    """Return what the function returns or raise what it raises; raise TimeoutError when it takes too long (its thread is left behind)."""
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(function())
        except BaseException as error:  # noqa: BLE001 - border: handed to the caller, whole
            failure.append(error)

    thread = threading.Thread(target=run, name="homeostat-deadline", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if failure:
        raise failure[0]
    if not outcome:
        raise TimeoutError(f"no answer after {timeout_s:g} s")
    result: T = outcome[0]
    return result
