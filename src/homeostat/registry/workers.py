"""Waiting until every serving process has followed a change of routes: only then has the change happened."""

from collections.abc import Callable
from datetime import datetime, timedelta

from homeostat.audit.log import record
from homeostat.core.errors import Unreachable
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.store import Store

ALIVE = timedelta(seconds=5)
PATIENCE_S = {"server": 60.0, "own": 900.0}  # by serve.environments: one may have to be built first
_LOOK_S = 0.05


def await_workers(
    store: Store,
    *,
    clock: Clock,
    model: str,
    generation: int,
    pause: Callable[[float], None],
    patience_s: float = PATIENCE_S["server"],
) -> list[str]:
    """Return the live workers when each has switched to the generation (none where no server is up).

    Raises Unreachable where one says that it cannot, or does not for longer than the patience.
    """
    asked = clock.now()
    while True:
        now = clock.now()
        with store.read() as tx:
            alive = tx.routes.workers(alive_since=now - ALIVE)
            behind = [worker.worker_id for worker in alive if worker.generations.get(model, 0) < generation]
            unable = [tx.audit.by_key(_unable(worker, model, generation)) for worker in behind]
        if not behind:
            return [worker.worker_id for worker in alive]
        for event in unable:
            if event is not None:
                raise Unreachable(
                    f"{event.actor} cannot serve '{model}' by its new route: {event.payload['error']}",
                    hint="the route before it goes on answering; its log has the whole error",
                )
        if (now - asked).total_seconds() > patience_s:
            raise Unreachable(
                f"workers {', '.join(behind)} did not switch '{model}' to generation {generation}",
                hint="`homeostat status` shows them; their log says why",
            )
        pause(_LOOK_S)


def tell_unable(store: Store, *, worker_id: str, model: str, generation: int, error: str, now: datetime) -> None:
    """Note that a worker cannot switch to a generation of a route, so that nobody waits for it in vain."""
    with store.write() as tx:
        record(
            tx,
            "route.not_followed",
            subject=f"model:{model}",
            actor=worker_id,
            time=now,
            payload={"generation": generation, "error": error},
            key=_unable(worker_id, model, generation),
        )


def _unable(worker_id: str, model: str, generation: int) -> str:
    return f"{worker_id}:{model}:{generation}:not_followed"
