"""Who leads the loop: of the control processes on one store one holds a lease, the others stand by until it is renewed no more.

No clocks of machines are compared, only durations that each measures by itself: who stands by takes over when it has seen the same beat for
the lease's whole term, and who leads stops to act earlier than that when it cannot renew (as `leaderelection` of Kubernetes' client-go does).
"""

import logging
import threading
import time
from collections.abc import Callable

from homeostat.audit.log import record
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.store import Store
from homeostat.core.values import Json

log = logging.getLogger(__name__)

TERM_S = 10.0
_MARGIN_S = 3.0
_RENEW_S = 2.0
_LOOK_S = 1.0


class Lease:
    """The lease on one project's loop, as one process sees it. `node` is the holder's name, the same for a process that starts anew.

    Thread-safe.
    """

    def __init__(
        self,
        store: Store,
        *,
        model: str,
        node: str,
        clock: Clock,
        term_s: float = TERM_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._model = model
        self._node = node
        self._clock = clock
        self._term_s = term_s
        self._monotonic = monotonic
        self._name = f"leader:{model}"
        self._seen: tuple[Json | None, float] | None = None
        self._renewed: float | None = None
        self._one_at_a_time = threading.Lock()
        self._is_over = False

    def ask(self) -> bool:
        """Take the lease or renew it, and return whether this node holds it now."""
        with self._one_at_a_time:
            return not self._is_over and self._ask(self._monotonic())

    def _ask(self, now: float) -> bool:
        with self._store.read() as tx:
            found = tx.watch.get_state(self._name)
        if not self._may_have(found, now):
            self._renewed = None
            return False
        with self._store.write() as tx:
            if tx.watch.get_state(self._name) != found:
                self._renewed = None
                return False
            tx.watch.set_state(self._name, {"node": self._node, "beat": 1 + (found["beat"] if found else 0)})
            if found is not None and found["node"] not in (None, self._node):
                record(
                    tx,
                    "loop.taken_over",
                    subject=f"model:{self._model}",
                    actor="homeostat",
                    time=self._clock.now(),
                    payload={"from": found["node"], "by": self._node},
                )
        self._renewed = now
        return True

    def _may_have(self, found: Json | None, now: float) -> bool:
        if found is None or found["node"] in (None, self._node):
            return True
        if self._seen is None or self._seen[0] != found:
            self._seen = (found, now)
        return now - self._seen[1] >= self._term_s

    @property
    def is_sure(self) -> bool:
        """Whether nobody else can have taken the lease yet, however long this process was stopped."""
        renewed = self._renewed
        return renewed is not None and self._monotonic() - renewed < self._term_s - _MARGIN_S

    def release(self) -> None:
        """Let the next one have it at once, and take it no more."""
        with self._one_at_a_time, self._store.write() as tx:
            found = tx.watch.get_state(self._name)
            if found is not None and found["node"] == self._node:
                tx.watch.set_state(self._name, {**found, "node": None})
            self._renewed, self._is_over = None, True


def wait_to_lead(lease: Lease, stop: threading.Event) -> bool:
    """Return True when the lease is held, False when told to stop before."""
    while not stop.is_set():
        try:
            if lease.ask():
                return True
        except Exception:  # the border of the thread: a database that is away comes back
            log.exception("cannot ask for the lease on the loop")
        stop.wait(_LOOK_S)
    return False


def keep_leading(lease: Lease, stop: threading.Event, *, on_lost: Callable[[], None]) -> None:
    """Renew the lease until told to stop; where another node has it, say so once."""
    while not stop.wait(_RENEW_S):
        try:
            is_held = lease.ask()
        except Exception:  # the border of the thread, as above; `is_sure` runs out by itself
            log.exception("cannot renew the lease on the loop")
            continue
        if not is_held and not stop.is_set():
            on_lost()
            return
