"""An inference process: follows the routes in the store and answers requests. `python -m homeostat.app.inference PROJECT WORKER`."""

import asyncio
import ctypes
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.app.following import RouteFollower, beat_on, follow
from homeostat.app.loading import explainers, loader
from homeostat.app.logs import log_to_stderr
from homeostat.app.node import node_of
from homeostat.app.project import load
from homeostat.app.supervisor import beat, exit_when_orphaned, run_program
from homeostat.app.wiring import House, open_house, recording_of
from homeostat.core.records.registry import ModelVersion
from homeostat.registry.health import tell_recovered, tell_unhealthy
from homeostat.serve.switching import OnLoop

if TYPE_CHECKING:
    from homeostat.serve.door import Desk
    from homeostat.serve.metrics import ServeMetrics
    from homeostat.serve.plane import Plane
    from homeostat.serve.scoreboard import Scoreboard

log = logging.getLogger(__name__)

_BEAT_S = 1.0
_HELD = {-1: 16 << 20, -2: 8 << 20, -3: 4 << 20}  # malloc.h: M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD; bytes
_WARM_S = 30.0  # a first answer comes with imports, and those who wait for the switch wait a minute


class ServingWorker:
    """A project's plane and what keeps it up to date, whatever carries requests to it."""

    def __init__(self, house: House, *, worker_id: str) -> None:
        from homeostat.serve.metrics import ServeMetrics
        from homeostat.serve.scoreboard import Scoreboard

        self._house = house
        self._worker_id = worker_id
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._follower: RouteFollower | None = None
        self._board = Scoreboard(house.place.state / "metrics")
        self._metrics = ServeMetrics(self._board.counts)
        self._plane: Plane | None = None
        self._beside: list[asyncio.Task[None]] = []

    async def open(self, *, default_model: str | None = None) -> "Desk":
        """Load what the routes name, on this event loop, and follow them from now on. `default_model`: whom paths without one mean; None: the project's."""
        from homeostat.serve.door import Desk
        from homeostat.serve.request_ids import fresh_ids

        house, settings = self._house, self._house.project.serve
        self._plane = plane = plane_of(house, self._metrics)
        loop = asyncio.get_running_loop()
        self._beside = [loop.create_task(work) for work in (keep_counts(self._metrics, self._board), beat())]
        on_loop = OnLoop(plane, asyncio.get_running_loop())
        follower = RouteFollower(house, on_loop, worker_id=self._worker_id, keeps_previous=settings.standby)
        await asyncio.get_running_loop().run_in_executor(None, follower.look_first)
        self._follower = follower
        for work in (follow, beat_on):
            self._threads.append(
                threading.Thread(target=work, args=(follower, self._stop), name=work.__name__, daemon=True)
            )
            self._threads[-1].start()
        return Desk(
            plane=plane,
            record=house.records,
            settings=settings,
            clock=house.clock,
            new_id=fresh_ids(),
            default_model=default_model or house.project.model,
            scoreboard=self._board,
            explainers=explainers(house),
        )

    def close(self) -> None:
        """Tell the store that this worker is gone, and close what it writes to."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=5)
        if self._follower is not None:
            self._follower.leave()
        self._board.write(self._metrics.snapshot())
        if self._plane is not None and self._plane.tracing is not None:
            self._plane.tracing.close()
        self._house.records.close()


def main() -> None:
    """Serve until SIGTERM."""
    from homeostat.serve.engine import Engine

    log_to_stderr()
    exit_when_orphaned()
    hold_memory()
    project_file, number = sys.argv[1:3]
    place = load(Path(project_file))
    worker_id = f"worker-{number}-{node_of(place)}"
    house = open_house(place, writer_id=worker_id, actor=worker_id)
    worker = ServingWorker(house, worker_id=worker_id)
    settings = place.project.serve
    engine = Engine(
        host=settings.host,
        port=settings.port,
        make=worker.open,
        drain_s=settings.drain.total_seconds(),
        beside=None if settings.grpc_port is None else speak_grpc,
    )
    engine.run()
    worker.close()
    os._exit(0)  # threads of a model's library may hang: no exit waits for them


def hold_memory() -> None:
    """Let glibc keep some memory at the end of its heap; what each request of many rows took was given back, and faulted in again by the next."""
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        for name, size in _HELD.items():
            libc.mallopt(name, size)


async def keep_counts(metrics: "ServeMetrics", board: "Scoreboard") -> None:
    """Write down every second what was counted."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_BEAT_S)
        await loop.run_in_executor(None, board.write, metrics.snapshot())


async def speak_grpc(desk: "Desk") -> "Callable[[], Awaitable[None]]":
    """Answer over gRPC too, and return what ends that."""
    from homeostat.serve.rpc.service import serve

    settings = desk.settings
    assert settings.grpc_port is not None
    _, stop = await serve(desk, host=settings.host, port=settings.grpc_port, drain_s=settings.drain.total_seconds())
    return stop


def plane_of(house: House, metrics: "ServeMetrics | None" = None) -> "Plane":
    """Return the plane of a project, to be made on the event loop that it lives on."""
    from homeostat.serve.otel import open_spans
    from homeostat.serve.plane import Plane
    from homeostat.serve.tracing import Tracing

    settings, data = house.project.serve, house.project.data

    # the store is told in a thread: the event loop must not wait for it
    def told(tell: "Callable[..., None]", model: str, version: int, **more: str) -> None:
        tell_it = partial(
            tell, house.store, model=model, version=version, worker_id=house.actor, now=house.clock.now(), **more
        )
        asyncio.get_running_loop().run_in_executor(None, tell_it)

    def given_up(model: str, version: int, reason: str) -> None:
        told(tell_unhealthy, model, version, reason=reason)

    runs: dict[tuple[str, int], str] = {}

    def found(version: ModelVersion) -> None:
        runs[version.model, version.version] = version.run_id

    spans = open_spans(
        ratio=settings.traces, run_of=lambda model, version: runs.get((model, version)), instance=house.actor
    )
    return Plane(
        loader(house, on_unhealthy=given_up, on_healthy=partial(told, tell_recovered), on_found=found),
        house.records,
        house.clock,
        time_column=data.time,
        key_column=house.project.key_column,
        optional=(*data.key, *data.exclude),
        max_rows=settings.max_rows,
        recording=recording_of(house.place),
        trial_timeout_s=settings.trial_timeout.total_seconds(),
        timeout_s=settings.timeout.total_seconds(),
        warm_timeout_s=max(_WARM_S, settings.timeout.total_seconds()),
        queue=settings.queue,
        metrics=metrics,
        tracing=None if spans is None else Tracing(spans.tell, ratio=settings.traces, close=spans.close),
    )


if __name__ == "__main__":
    run_program(main)
