"""Moves the record's closed segments into tables, in a process that then ends. `python -m homeostat.app.compacting PROJECT`.

Writing a Delta table loads delta-rs and its runtime, some 80 MB that a process does not give back: the control process, which lives for
ever, has none of it.
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from homeostat.app.priority import give_way, of_moving
from homeostat.app.project import load
from homeostat.app.wiring import open_house, open_records
from homeostat.core.ports.record_log import RecordLog

log = logging.getLogger(__name__)

_LIMIT_S = 600.0
_ONE_THREAD = {
    "POLARS_MAX_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKIO_WORKER_THREADS": "1",
}  # of cores that answer requests too


def compact(records: RecordLog, project_file: Path) -> None:
    """Move what is to be moved and return when that is done; without anything to move no process starts.

    One that fails or takes ten minutes is logged: nothing is lost by it, and the next one tries again.
    """
    if not records.is_due():
        return
    command = [sys.executable, "-m", __name__, str(project_file)]
    try:
        subprocess.run(  # noqa: S603 - ourselves
            command,
            check=True,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_LIMIT_S,
            env=os.environ | _ONE_THREAD,
        )
    except subprocess.CalledProcessError as error:
        log.error("the record was not compacted: %s", error.stderr[-2000:])  # noqa: TRY400 - what it said says more than our stack
    except subprocess.TimeoutExpired:
        log.error("the record was not compacted within %.0f s", _LIMIT_S)  # noqa: TRY400


def beside(work: Callable[[], None]) -> Callable[[], None]:
    """Return what begins the work in a thread and returns; while it is under way, a call begins nothing.

    On full cores moving the record may take minutes, and the loop must not wait for it.
    """
    under_way: threading.Thread | None = None

    def logged() -> None:
        try:
            work()
        except Exception:  # border: a thread; the next call tries again
            log.exception("the record was not compacted")

    def begin() -> None:
        nonlocal under_way
        if under_way is None or not under_way.is_alive():
            under_way = threading.Thread(target=logged, name="compact", daemon=True)
            under_way.start()

    return begin


def main() -> None:
    place = load(Path(sys.argv[1]))
    records = open_records(place, writer_id="compacting")
    give_way(of_moving(records.unmoved_bytes()))
    records.compact()
    if place.project.record.keep is not None:
        from homeostat.app.erasing import drop_old

        drop_old(open_house(place, writer_id="compacting", actor="compacting"), model=place.project.model)


if __name__ == "__main__":
    main()
