"""Waiting until every serving process has followed a change of routes: only then has the change happened."""

from collections.abc import Callable
from datetime import timedelta

from homeostat.core.errors import Unreachable
from homeostat.core.ports import Clock, Store

ALIVE = timedelta(seconds=5)
_SWITCH_S = 60.0
_LOOK_S = 0.05


def await_workers(
    store: Store,
    *,
    clock: Clock,
    model: str,
    generation: int,
    pause: Callable[[float], None],
    patience_s: float = _SWITCH_S,
) -> list[str]:
    """Return the live workers when each has switched to the generation (none where no server is up); Unreachable where one does not."""
    asked = clock.now()
    while True:
        now = clock.now()
        with store.read() as tx:
            alive = tx.routes.workers(alive_since=now - ALIVE)
        behind = [worker.worker_id for worker in alive if worker.generations.get(model, 0) < generation]
        if not behind:
            return [worker.worker_id for worker in alive]
        if (now - asked).total_seconds() > patience_s:
            raise Unreachable(
                f"workers {', '.join(behind)} did not switch '{model}' to generation {generation}",
                hint="`homeostat status` shows them; their log says why",
            )
        pause(_LOOK_S)
