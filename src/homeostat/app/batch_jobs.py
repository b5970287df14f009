"""Batch predictions that clients ask for over HTTP: each a folder of its own with the rows that were sent, its state and its output.

A client names no file: it sends the rows, and gets an id. One job runs at a time, in a process of its own, by the code of `homeostat predict`;
what was under way when the server ended goes on at its next start, at the first part that is not finished.
"""

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal
from uuid import uuid4

import msgspec

from homeostat.app.project import FILE
from homeostat.app.promoting import which_version
from homeostat.app.wiring import House
from homeostat.core.duration import size_bytes
from homeostat.core.errors import Conflict, InvalidInput, NotFound, Unreachable

log = logging.getLogger(__name__)
MOST_JOBS = 100
FORMATS = {"text/csv": "input.csv", "application/vnd.apache.parquet": "input.parquet"}
OUTPUT = "output.parquet"
REJECTS = "output.parquet.rejects.jsonl"
_ID = re.compile(r"[0-9a-f]{32}")
_LOOK_S = 1.0
_TRIES = 3
OnBad = Literal["fail", "skip"]  # as serve.batch has it, whose import is for the job's own process
State = Literal["queued", "running", "done", "failed"]


class TooManyJobs(Unreachable):
    """No more jobs are kept."""

    code = "too_many_jobs"
    http_status = 429


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked: `model` as in churn@champion; `input`: the name of the file of rows in the job's folder."""

    job_id: str
    model: str
    on_bad: OnBad
    input: str
    created: str


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a job is. `rows`: done so far; `error`: why it failed; `version`, `rejected`: of one that is done."""

    state: State
    rows: int = 0
    total: int | None = None
    version: int | None = None
    rejected: int = 0
    error: dict[str, Any] | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a job's files are."""

    folder: Path

    @property
    def output(self) -> Path:
        return self.folder / OUTPUT

    @property
    def rejects(self) -> Path:
        return self.folder / REJECTS

    def job(self) -> Job:
        return msgspec.json.decode((self.folder / "job.json").read_bytes(), type=Job)

    def progress(self) -> Progress:
        try:
            return msgspec.json.decode((self.folder / "progress.json").read_bytes(), type=Progress)
        except FileNotFoundError:
            return Progress(state="queued")

    def note(self, progress: Progress) -> None:
        """Write how the job is, whole or not at all."""
        fresh = self.folder / "progress.json.new"
        fresh.write_bytes(msgspec.json.encode(progress))
        fresh.replace(self.folder / "progress.json")

    def tidy(self) -> None:
        """Remove what is needed no more: the rows that were sent, and parts of the output."""
        (self.folder / self.job().input).unlink(missing_ok=True)
        shutil.rmtree(self.folder / f"{OUTPUT}.parts", ignore_errors=True)

    def told(self) -> dict[str, Any]:
        """Return the job as clients see it."""
        job, progress = self.job(), self.progress()
        return {
            "id": job.job_id,
            "model": job.model,
            "on_bad": job.on_bad,
            "created": job.created,
            "state": progress.state,
            "rows": progress.rows,
            "total": progress.total,
            "version": progress.version,
            "rejected": progress.rejected,
            "error": progress.error,
        }


class Jobs:
    """The jobs of a project on this machine. Thread-safe."""

    def __init__(self, house: House, *, project_file: Path | None = None) -> None:
        self._house = house
        self._project_file = project_file or house.root / FILE
        self._root = house.place.state / "batch_jobs"
        self._most_bytes = size_bytes(house.project.serve.max_job)
        self._new = threading.Event()
        self._guard = threading.Lock()
        self._running: tuple[str, subprocess.Popen[bytes]] | None = None

    # -- what clients ask

    @contextmanager
    def upload(self, *, model: str, on_bad: str, media_type: str) -> Iterator["Upload"]:
        """Yield where to write the rows; the job exists once `finish` of it was called, and leaves nothing otherwise.

        Raises NotFound for an unknown model or version, InvalidInput for another type or `on_bad`, TooManyJobs.
        """
        which_version(self._house, model)
        if on_bad not in ("fail", "skip"):
            raise InvalidInput(f"on_bad is '{on_bad[:40]}'", hint="fail: stop at a bad row; skip: set bad rows aside")
        if media_type not in FORMATS:
            raise InvalidInput(
                f"rows of the type '{media_type[:80]}' are not read", hint=f"send {' or '.join(FORMATS)}"
            )
        if len(self._folders()) >= MOST_JOBS:
            raise TooManyJobs(
                f"{MOST_JOBS} jobs are kept already", hint="DELETE /api/v1/jobs/ID removes one and its output"
            )
        job = Job(
            job_id=uuid4().hex,
            model=model,
            on_bad="skip" if on_bad == "skip" else "fail",
            input=FORMATS[media_type],
            created=self._house.clock.now().isoformat(),
        )
        folder = self._root / job.job_id
        folder.mkdir(parents=True, mode=0o700)
        is_whole = False
        try:
            with (folder / job.input).open("xb") as file:
                upload = Upload(file, most_bytes=self._most_bytes)
                yield upload
                if upload.is_whole and upload.size:
                    file.flush()
                    os.fsync(file.fileno())
                    is_whole = True
            if upload.is_whole and not upload.size:
                raise InvalidInput("the body is empty", hint=f"send the rows as {' or '.join(FORMATS)}")
            if is_whole:
                (folder / "job.json").write_bytes(msgspec.json.encode(job))
                upload.job_id = job.job_id
                self._new.set()
        finally:
            if not is_whole:
                shutil.rmtree(folder, ignore_errors=True)

    def place(self, job_id: str) -> Place:
        """Return the job's place; raise NotFound where there is none. Only ids are looked for, never paths."""
        if not _ID.fullmatch(job_id) or not (self._root / job_id / "job.json").is_file():
            raise NotFound("no job has that id", hint="GET /api/v1/jobs lists them")
        return Place(folder=self._root / job_id)

    def all(self) -> Sequence[Place]:
        """Return the jobs, the oldest first."""
        places = [Place(folder=folder) for folder in self._folders() if (folder / "job.json").is_file()]
        return sorted(places, key=lambda place: (place.job().created, place.folder.name))

    def finished(self, job_id: str) -> Place:
        """Return the place of a job that is done; raise Conflict for another."""
        place = self.place(job_id)
        state = place.progress().state
        if state != "done":
            raise Conflict(f"the job is {state}", hint=f"GET /api/v1/jobs/{job_id} tells how it is")
        return place

    def remove(self, job_id: str) -> None:
        """Forget a job and all of its files; one that runs is stopped."""
        place = self.place(job_id)
        with self._guard:
            (place.folder / "job.json").unlink(missing_ok=True)
            if self._running is not None and self._running[0] == job_id:
                _kill(self._running[1])
                self._running[1].wait()
        shutil.rmtree(place.folder, ignore_errors=True)

    # -- what runs them

    def run(self, stop: threading.Event) -> None:
        """Run what waits, one job after the other, until told to stop."""
        self._forget_broken_uploads()
        while not stop.is_set():
            waiting = [place for place in self.all() if place.progress().state in ("queued", "running")]
            if waiting:
                self._run(waiting[0], stop)
            else:
                self._new.wait(_LOOK_S)
                self._new.clear()

    def _run(self, place: Place, stop: threading.Event) -> None:
        """Run one job's process to its end. One that dies is tried three times in all: finished parts stay."""
        job_id = place.folder.name
        before = place.progress()
        if before.tries >= _TRIES:
            place.note(_died(before))
            return
        place.note(msgspec.structs.replace(before, state="running", tries=before.tries + 1))
        with self._guard:
            if not (place.folder / "job.json").exists():
                return
            process = subprocess.Popen(  # noqa: S603 - our own module
                [
                    sys.executable,
                    "-m",
                    "homeostat.app.batch_job",
                    str(self._project_file),
                    str(place.folder),
                    str(os.getpid()),
                ],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._running = (job_id, process)
        while process.poll() is None and not stop.is_set():
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LOOK_S)
        with self._guard:
            self._running = None
            if process.poll() is None:  # told to stop: the next start goes on, and this does not count as a try
                _kill(process)
                process.wait()
                with suppress(OSError):
                    place.note(msgspec.structs.replace(place.progress(), tries=before.tries))
        if process.returncode:
            log.warning("app.batch_job_died", extra={"job": job_id, "code": process.returncode})

    def _folders(self) -> list[Path]:
        return [path for path in self._root.iterdir() if path.is_dir()] if self._root.exists() else []

    def _forget_broken_uploads(self) -> None:
        for folder in self._folders():
            if not (folder / "job.json").exists():
                shutil.rmtree(folder, ignore_errors=True)


class Upload:
    """Where the rows of a job go, part by part."""

    def __init__(self, file: IO[bytes], *, most_bytes: int) -> None:
        self._file = file
        self._most_bytes = most_bytes
        self.size = 0
        self.is_whole = False
        self.job_id = ""

    def add(self, part: bytes) -> None:
        """Write a part; raise TooLarge where it is more than may be."""
        from homeostat.serve.border import TooLarge

        self.size += len(part)
        if self.size > self._most_bytes:
            raise TooLarge(
                f"the body is longer than {self._most_bytes} bytes", hint="send fewer rows, or raise serve.max_job"
            )
        self._file.write(part)

    def finish(self) -> None:
        """Say that all of it is there."""
        self.is_whole = True


def _died(progress: Progress) -> Progress:
    told = {
        "code": "job_failed",
        "message": f"its process died {_TRIES} times",
        "hint": "the server's log has its last words",
    }
    return msgspec.structs.replace(progress, state="failed", error=told)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
