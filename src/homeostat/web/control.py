"""The control process: the loop in a thread, and a small HTTP door beside it. `python -m homeostat.web.control PROJECT [--replay]`."""

import argparse
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.app.batch_jobs import Jobs
from homeostat.app.logs import log_to_stderr
from homeostat.app.wiring import House
from homeostat.core.errors import HomeostatError
from homeostat.web.native_api import build_app
from homeostat.web.safety import Safety, middleware_options

if TYPE_CHECKING:
    from homeostat.app.leading import Lease
    from homeostat.app.loop import Loop

log = logging.getLogger(__name__)

App = Callable[[Any, Any, Any], Awaitable[None]]


def build_door(
    house: House,
    *,
    looks: Callable[[], int] = lambda: 1,
    leads: Callable[[], bool] = lambda: True,
    jobs: Jobs | None = None,
) -> App:
    """Return all that the control process answers: the native API, and the tracking API that `mlflow` clients speak beside it."""
    from homeostat.web.mlflow_api.app import MlflowApi, belongs
    from homeostat.web.mlflow_api.discovery import discover
    from homeostat.web.mlflow_api.endpoint import Desk
    from homeostat.web.mlflow_api.openapi import operations

    endpoints = [each for each in discover() if all(belongs(path) for path in each.paths)]
    desk = Desk(store=house.store, blobs=house.blobs, clock=house.clock, actor=house.actor, house=house)
    api = MlflowApi(desk, endpoints=endpoints)
    native = build_app(house, looks=looks, leads=leads, jobs=jobs, beside=lambda: operations(endpoints))

    async def both(scope: Any, receive: Any, send: Any) -> None:
        await (api if scope["type"] == "http" and belongs(scope["path"]) else native)(scope, receive, send)

    return Safety(both, **middleware_options(house.project.serve.host))


def main() -> None:
    """Run the loop, when it is this process's to run, and its door until SIGTERM."""
    from homeostat.app.leading import Lease
    from homeostat.app.node import node_of
    from homeostat.app.project import load
    from homeostat.app.supervisor import beat, exit_when_orphaned
    from homeostat.app.wiring import open_house
    from homeostat.serve.worker import run_worker

    parser = argparse.ArgumentParser()
    parser.add_argument("project")
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("--every", type=float, default=2.0)
    options = parser.parse_args()
    log_to_stderr()
    exit_when_orphaned()
    place = load(Path(options.project))
    house = open_house(place, writer_id="control", actor="homeostat")
    lease = Lease(house.store, model=place.project.model, node=node_of(place), clock=house.clock)
    stop = threading.Event()
    running: list[Loop] = []

    def turn() -> None:
        try:
            _lead(house, lease, stop, options, running)
        except HomeostatError as error:
            log.error("the loop cannot run: %s (%s)", error.message, error.hint)  # noqa: TRY400
            os._exit(error.exit_status)
        except Exception:  # the border of the thread: a door without a loop behind it must not look alive
            log.exception("the loop broke")
            os._exit(HomeostatError.exit_status)

    threading.Thread(target=turn, name="loop", daemon=True).start()
    settings = place.project.serve
    jobs = Jobs(house, project_file=Path(options.project).resolve())
    threading.Thread(target=jobs.run, args=(stop,), name="jobs", daemon=True).start()
    app = build_door(house, looks=lambda: running[0].ticks if running else 0, leads=lambda: lease.is_sure, jobs=jobs)
    run_worker(app, host=settings.host, port=settings.control_port, beside=beat)
    stop.set()
    for loop in running:
        loop.stop()
    with suppress(HomeostatError):  # a database that is away: the lease ends by itself
        lease.release()
    # what a cycle was doing is resumed at its last finished step by the next start: nothing to wait for
    os._exit(0)


def _lead(
    house: House, lease: "Lease", stop: threading.Event, options: argparse.Namespace, running: "list[Loop]"
) -> None:
    """Stand by until this process leads, then run the loop, which `running` gets, and deliver webhooks."""
    from homeostat.app.leading import keep_leading, wait_to_lead

    def lost() -> None:
        log.error("another node leads the loop now: this process starts anew and stands by")
        os._exit(HomeostatError.exit_status)

    if not wait_to_lead(lease, stop):
        return
    threading.Thread(target=partial(keep_leading, lease, stop, on_lost=lost), name="lease", daemon=True).start()
    # imported here: the door answers while DBOS and the stages are still loading
    from homeostat.app.compacting import beside, compact
    from homeostat.app.environments import interpreters
    from homeostat.app.loop import Loop
    from homeostat.app.priority import LOOP, give_way
    from homeostat.app.webhooks import Deliverer
    from homeostat.app.wiring import workflow_database_url
    from homeostat.serve.probe import ServerProbe

    Deliverer(house.store, house.clock, channels=house.project.alerts).start()
    loop = Loop(
        house,
        workflow_database_url=workflow_database_url(house.place),
        probe=ServerProbe(interpreter_of=interpreters(house.place)),
        compact=beside(lambda: compact(house.records, Path(options.project))),
        replay=options.replay,
        leads=lambda: lease.is_sure,
    )
    running.append(loop)
    give_way(LOOP)  # this thread; the door, the lease and webhooks do not
    loop.run(every_s=options.every)


if __name__ == "__main__":
    from homeostat.app.supervisor import run_program

    run_program(main)
