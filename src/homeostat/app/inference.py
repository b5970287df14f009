"""An inference process: follows the routes in the store and answers requests. `python -m homeostat.app.inference PROJECT WORKER`."""

import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.app.project import load
from homeostat.app.supervisor import exit_when_orphaned
from homeostat.app.wiring import House, open_house
from homeostat.core.errors import HomeostatError
from homeostat.core.records import Worker
from homeostat.registry.versions import package_of

if TYPE_CHECKING:
    from homeostat.serve.plane import Plane
    from homeostat.train.package import Package

log = logging.getLogger(__name__)

_LOOK_S = 0.1
_BEAT_S = 1.0


class RouteFollower:
    """Switches a plane to the newest routes and tells the store which generation this worker has switched to."""

    def __init__(self, house: House, plane: "Plane", *, worker_id: str) -> None:
        self._house = house
        self._plane = plane
        self._worker_id = worker_id
        self._started = house.clock.now()
        self._generations: dict[str, int] = {}
        self._failed: dict[str, int] = {}
        self._beaten: datetime | None = None

    def look(self) -> None:
        """Switch what has changed; beat when something did, or a second has passed."""
        with self._house.store.read() as tx:
            routes = tx.routes.all()
        changed = False
        for route in routes:
            if route.generation in (self._generations.get(route.model), self._failed.get(route.model)):
                continue
            try:
                self._plane.switch(route)
            except HomeostatError as error:
                # the old route goes on answering; whoever waits for the switch sees that it did not happen
                log.error("cannot switch %s to generation %s: %s", route.model, route.generation, error.message)  # noqa: TRY400
                self._failed[route.model] = route.generation
                continue
            self._generations[route.model] = route.generation
            changed = True
        now = self._house.clock.now()
        if changed or self._beaten is None or (now - self._beaten).total_seconds() >= _BEAT_S:
            self._beat(now)

    def _beat(self, now: datetime) -> None:
        worker = Worker(
            worker_id=self._worker_id,
            pid=os.getpid(),
            host=socket.gethostname(),
            started=self._started,
            heartbeat=now,
            generations=dict(self._generations),
        )
        with self._house.store.write() as tx:
            tx.routes.beat(worker)
        self._beaten = now

    def leave(self) -> None:
        """Tell the store that this worker is gone, so that nobody waits for it."""
        with self._house.store.write() as tx:
            tx.routes.forget_worker(self._worker_id)


def follow(follower: RouteFollower, stop: threading.Event) -> None:
    """Look at the routes until told to stop. A store that does not answer is waited for: serving goes on."""
    while not stop.wait(_LOOK_S):
        try:
            follower.look()
        except Exception:  # the border of the thread: serving must outlive a database that is away
            log.exception("cannot read the routes")
            stop.wait(_BEAT_S)


def loader(house: House) -> "Callable[[str, int], Package]":
    """Return the function that loads a version's package, its files checked first."""
    from homeostat.train.package import read_package
    from homeostat.train.signature import from_json

    def load_version(model: str, version: int) -> "Package":
        with house.store.read() as tx:
            found = tx.models.get(model, version)
        signature = from_json(found.signature) if found.source else None
        return read_package(package_of(found, blobs=house.blobs), signature=signature)

    return load_version


def main() -> None:
    """Serve until SIGTERM."""
    from homeostat.serve.http import build_app
    from homeostat.serve.plane import Plane
    from homeostat.serve.worker import run_worker

    logging.basicConfig(level=os.environ.get("HOMEOSTAT_LOG", "WARNING").upper())
    exit_when_orphaned()
    project_file, number = sys.argv[1:3]
    place = load(Path(project_file))
    worker_id = f"worker-{number}"
    house = open_house(place, writer_id=worker_id, actor=worker_id)
    settings, data = place.project.serve, place.project.data
    plane = Plane(
        loader(house),
        house.records,
        house.clock,
        time_column=data.time,
        key_column=settings.key or (data.key[0] if len(data.key) == 1 else None),
        optional=(*data.key, *data.exclude),
        max_rows=settings.max_rows,
    )
    follower = RouteFollower(house, plane, worker_id=worker_id)
    follower.look()
    stop = threading.Event()
    thread = threading.Thread(target=follow, args=(follower, stop), name="routes", daemon=True)
    thread.start()
    answered = run_worker(
        build_app(plane, record=house.records, settings=settings, clock=house.clock),
        host=settings.host,
        port=settings.port,
        drain_s=settings.drain.total_seconds(),
    )
    stop.set()
    thread.join(timeout=5)
    follower.leave()
    plane.close(timeout_s=1.0)
    if not answered:
        os._exit(1)  # a handler hangs in a thread that no exit would wait out


if __name__ == "__main__":
    main()
