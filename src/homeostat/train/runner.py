"""User code in a process of its own: limits on time and memory, a scrubbed environment, and its output caught.

The limits keep mistakes from harming the machine. They are no prison: user code has the rights of the user who runs it.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from homeostat.core.errors import InvalidInput
from homeostat.train.redact import Redactor

Ended = Literal["exited", "timed out", "out of memory"]

HARMLESS = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "SHELL", "TERM", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "CUDA_VISIBLE_DEVICES", "XDG_CACHE_HOME",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS", "LOKY_MAX_CPU_COUNT", "OMP_WAIT_POLICY",
)  # fmt: skip
HEAD_BYTES = TAIL_BYTES = 256 * 1024
_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a child process may use. `memory_bytes` counts the resident memory of all its processes together.

    `env`: names of environment variables passed on beyond the harmless ones.
    """

    timeout_s: float
    memory_bytes: int
    env: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildResult:
    """How a child ended. `exit` is its exit code, minus the number of the signal that killed it; `log` is its output, redacted.

    `answer` is what it wrote for us, None where it ended before.
    """

    ended: Ended
    exit: int
    log: str
    duration_s: float
    cpu_s: float
    peak_bytes: int
    answer: dict[str, Any] | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """What a package is asked by where this process does not have what it was made with: a Python, and variables that are set for it."""

    python: str
    environment: Mapping[str, str] = field(default_factory=dict)


# an environment of the package's own, None where it is asked by ours
InterpreterOf = Callable[[Path], Interpreter | None]


def ours(package: Path) -> Interpreter | None:
    """Ask every package by this process's own interpreter."""
    del package
    return None


def run_child(
    module: str,
    spec: Mapping[str, Any],
    *,
    limits: Limits,
    cwd: Path,
    workdir: Path,
    environment: Mapping[str, str] | None = None,
    interpreter: Interpreter | None = None,
) -> ChildResult:
    """Run `python -m module SPEC` to its end, in a session of its own, and return how it went; it is never left running.

    `spec` is written to `workdir` as JSON, with the path `answer` added, where the module writes a JSON object. Whatever the child
    started ends with it. `environment` is the one that is scrubbed, this process's unless given; `interpreter`: likewise.
    """
    given = dict(os.environ if environment is None else environment)
    redact = Redactor(given)
    answer = workdir / "answer.json"
    answer.unlink(missing_ok=True)
    spec_file = workdir / "spec.json"
    spec_file.write_text(json.dumps({**spec, "answer": str(answer), "parent": os.getpid()}), encoding="utf-8")
    started = time.monotonic()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable if interpreter is None else interpreter.python, "-P", "-m", module, str(spec_file)],
            cwd=cwd,
            env=scrubbed(given, limits.env) | dict(interpreter.environment if interpreter else {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise InvalidInput(
            f"a process cannot be started in {cwd}: {error}", hint="check that the folder exists"
        ) from error
    watched = _Watched(process)
    try:
        ended = watched.wait(limits, started)
    finally:
        watched.end()
    return ChildResult(
        ended=ended,
        exit=process.returncode,
        log=watched.log.text(redact),
        duration_s=time.monotonic() - started,
        cpu_s=watched.cpu_s,
        peak_bytes=watched.peak_bytes,
        answer=_read(answer, redact),
    )


def scrubbed(environment: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """Return the harmless variables and those named, with three of our own.

    Python's output is unbuffered, its hashes are the same each time, and OpenMP's idle threads sleep instead of spinning (on a shared
    machine they steal the turns of the thread that they wait for) unless the environment says otherwise.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name in HARMLESS or name in names or name.startswith("LC_")
    }
    return {
        "OMP_WAIT_POLICY": "PASSIVE",
        **kept,
        "PYTHONUNBUFFERED": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONIOENCODING": "utf-8",
    }


def _read(answer: Path, redact: Redactor) -> dict[str, Any] | None:
    """Return the child's answer, its texts redacted; None where it wrote none, or nothing that is one."""
    try:
        found = json.loads(answer.read_bytes())
    except (OSError, ValueError):
        return None
    return _redacted(found, redact) if isinstance(found, dict) else None


def _redacted(value: Any, redact: Redactor) -> Any:
    match value:
        case str():
            return redact(value)
        case dict():
            return {name: _redacted(inner, redact) for name, inner in value.items()}
        case list():
            return [_redacted(inner, redact) for inner in value]
        case _:
            return value


class BoundedLog:
    """The beginning and the end of an output of any length."""

    def __init__(self, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES) -> None:
        self._head, self._tail = bytearray(), bytearray()
        self._head_bytes, self._tail_bytes = head_bytes, tail_bytes
        self._left_out = 0

    def add(self, chunk: bytes) -> None:
        room = self._head_bytes - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > 2 * self._tail_bytes:  # cut rarely: each cut moves the whole tail
            self._cut()

    def _cut(self) -> None:
        surplus = len(self._tail) - self._tail_bytes
        if surplus > 0:
            del self._tail[:surplus]
            self._left_out += surplus

    def text(self, redact: Redactor) -> str:
        """Return what was kept, redacted, with a line that says how much is left out between beginning and end."""
        self._cut()
        if not self._left_out:
            return redact((self._head + self._tail).decode(errors="replace"))
        # lines that a cut went through could hold half a secret
        head, _, _ = self._head.decode(errors="replace").rpartition("\n")
        _, _, tail = self._tail.decode(errors="replace").partition("\n")
        return f"{redact(head)}\n... {self._left_out} bytes left out ...\n{redact(tail)}"


class _Watched:
    """A process with the threads that read its output and wait for its end."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.log = BoundedLog()
        self.peak_bytes = 0
        self.cpu_s = 0.0
        self._over = threading.Event()
        self._seen: dict[int, float] = {}
        assert process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._waiter = threading.Thread(target=self._wait, daemon=True)
        self._reader.start()
        self._waiter.start()

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := os.read(pipe.fileno(), 65536):
                self.log.add(chunk)

    def _wait(self) -> None:
        # wait4, not Popen.wait: it tells what this child used
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_s = usage.ru_utime + usage.ru_stime
        self.peak_bytes = max(self.peak_bytes, usage.ru_maxrss * 1024)
        self._over.set()

    def wait(self, limits: Limits, started: float) -> Ended:
        """Return how the process ended, or which limit it passed (it still runs then)."""
        while not self._over.wait(_POLL_S):
            used = self._memory()
            self.peak_bytes = max(self.peak_bytes, used)
            if used > limits.memory_bytes:
                return "out of memory"
            if time.monotonic() - started > limits.timeout_s:
                return "timed out"
        return "exited"

    def _memory(self) -> int:
        """Return the resident bytes of the process and its descendants; pages that a descendant shares count once."""
        import psutil

        try:
            root = psutil.Process(self.process.pid)
            total = int(root.memory_info().rss)
            for child in root.children(recursive=True):
                self._seen[child.pid] = child.create_time()
                total += self._own_memory(child)
        except psutil.NoSuchProcess:
            return 0
        return total

    @staticmethod
    def _own_memory(child: Any) -> int:
        import psutil

        try:
            info = child.memory_info()
        except psutil.NoSuchProcess:
            return 0
        return int(info.rss - getattr(info, "shared", 0))

    def end(self) -> None:
        """Kill the process, its group and every descendant that was seen, and wait until its output is read."""
        self._kill_group()
        for pid, created in self._seen.items():
            _kill_same(pid, created)
        self._over.wait()
        self._waiter.join()
        self._reader.join(timeout=2.0)  # a descendant that got away may hold the pipe open

    def _kill_group(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _kill_same(pid: int, created: float) -> None:
    """Kill the process unless its number belongs to another one by now."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.create_time() == created:
            process.kill()
    except psutil.NoSuchProcess:
        return
