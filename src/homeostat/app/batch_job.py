"""The process of one batch job: `python -m homeostat.app.batch_job PROJECT FOLDER PARENT`. Ends with its parent."""

import os
import sys
import threading
import time
from pathlib import Path

import msgspec

from homeostat.app.batch_jobs import OUTPUT, Place, Progress
from homeostat.app.predicting import predict_files
from homeostat.app.project import load
from homeostat.app.wiring import open_house
from homeostat.core.errors import HomeostatError, InvalidRows, Unreachable

_NOTE_S = 0.5


def run(project: Path, folder: Path) -> None:
    """Answer the job's rows and note how it went. An error that another try would meet again ends the job; others are left to the next."""
    place = Place(folder=folder)
    job, before = place.job(), place.progress()
    noted = 0.0
    now = before

    def tell(rows: int, total: int | None) -> None:
        nonlocal noted, now
        now = msgspec.structs.replace(before, rows=rows, total=total)
        if time.monotonic() - noted >= _NOTE_S:
            noted = time.monotonic()
            place.note(now)

    house = open_house(load(project), writer_id=f"job-{job.job_id}", actor="homeostat")
    try:
        # the name of the file is ours, chosen by its type: nothing that a client named is opened
        done = predict_files(
            house, job.input, root=folder, model=job.model, output=Path(OUTPUT), on_bad=job.on_bad, tell=tell
        )
    except Unreachable:
        raise
    except HomeostatError as error:
        place.note(msgspec.structs.replace(now, state="failed", error=_told(error, folder)))
        place.tidy()
        return
    place.note(
        Progress(
            state="done",
            rows=done.rows,
            total=now.total,
            version=done.version,
            rejected=done.rejected,
            tries=before.tries,
        )
    )
    place.tidy()


def _told(error: HomeostatError, folder: Path) -> dict[str, object]:
    """Return the error without the places of this machine."""
    message = error.message.replace(f"{folder}{os.sep}", "")
    hint = None if error.hint is None else error.hint.replace(f"{folder}{os.sep}", "")
    told: dict[str, object] = {"code": error.code, "message": message, "hint": hint}
    if isinstance(error, InvalidRows):
        told["fields"] = error.fields
        told["hint"] = "correct the rows and send them as a new job, or ask with on_bad=skip"
    return told


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_NOTE_S)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(int(sys.argv[3]),), daemon=True).start()
    run(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.flush()
    os._exit(0)  # threads of a model's library may hang: no exit waits for them
