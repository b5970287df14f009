"""The engine's side of the fork server: started when a model's process was needed once, asked for the next ones, done without where it is away."""

import asyncio
import contextlib
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from homeostat.core.values import Json
from homeostat.serve.hosts.life import life

log = logging.getLogger(__name__)
PRELOADED = ("pandas", "sklearn.pipeline", "sklearn.ensemble", "sklearn.linear_model")  # start no thread
READY = b"ready"
REFUSED = b"refused"
MOST_BYTES = 1 << 20
PADDING = "-" * 480  # of its command line: room for the words of what it becomes
UNSEEN = 1 << 16  # the exit code of a process whose end nobody saw, as the fork server had ended before
_AFTER_S = 3.0
# the allocators of polars and pyarrow have threads else, and what has threads is not forked
_NO_THREADS = dict.fromkeys(("_RJEM_MALLOC_CONF", "JE_ARROW_MALLOC_CONF"), "background_thread:false")
_ANSWER_S = 5.0


class Forked:
    """A process that the fork server made: what a Host uses of `subprocess.Popen`. It outlives the fork server."""

    def __init__(self, pid: int, *, of: int, told: int) -> None:
        self.pid = pid
        self._of = of
        self._told = told
        self._code: int | None = None
        self._looking = threading.Lock()

    def poll(self) -> int | None:
        """Return its exit code (minus the signal that ended it), None while it runs."""
        with self._looking:
            if self._code is None and _is_readable(self._of):
                with contextlib.suppress(BlockingIOError):  # the word on its end is on its way
                    self._code = int(os.read(self._told, 16) or UNSEEN)
                    os.close(self._of)
                    os.close(self._told)
            return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code when it has ended; raise TimeoutExpired after so many seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() >= until:
                assert timeout is not None
                raise subprocess.TimeoutExpired("forked", timeout)
            time.sleep(0.005)
        return code

    def kill(self) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._of, signal.SIGKILL)


class Forks:
    """The fork server of one engine, for packages that run by this very interpreter; to be used on one event loop.

    `environment`: what its processes get where the engine has nothing of that name. `after_s`: how long after it was first wanted it is started: what is being
    brought up needs the processor more.
    """

    def __init__(self, environment: dict[str, str] | None = None, *, after_s: float = _AFTER_S) -> None:
        self._environment = environment or {}
        self._after_s = after_s
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._is_ready = False
        self._is_hopeless = False
        self._due: asyncio.TimerHandle | None = None
        self._asking = threading.Lock()

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether it has imported everything; raise ConnectionResetError where it ended over that."""
        control = self._control
        if control is not None and not self._is_ready and _is_readable(control.fileno()):
            if control.recv(len(READY)) != READY:
                raise ConnectionResetError("it ended while it started")
            self._is_ready = True
        return self._is_ready

    def want(self, modules: Sequence[str]) -> None:
        """Have it started in a moment, unless it is there; it imports those of `PRELOADED` that are among the modules, which a process has."""
        if self._process is not None and self._process.poll() is not None:
            self._give_up()
        if self._process is None and self._due is None and not self._is_hopeless:
            words = ",".join(name for name in PRELOADED if name in modules)
            self._due = asyncio.get_running_loop().call_later(self._after_s, self._start, words)

    async def start(self, package: Path, link: socket.socket, *, signature: Json | None) -> Forked | None:
        """Return a process that serves the package over its end of a socket; None where there is no fork server to ask."""
        asked = json.dumps({"package": str(package), "signature": None if signature is None else json.dumps(signature)})
        if len(asked) >= MOST_BYTES:
            return None
        try:
            return await asyncio.to_thread(self._ask, asked.encode(), link) if self.is_ready else None
        except (OSError, ValueError) as error:
            log.warning("serve.fork_server_lost", extra={"why": repr(error)})
            self._give_up()
            return None

    def close(self) -> None:
        """End it. What it has forked goes on until the engine ends."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._give_up()

    def _start(self, modules: str) -> None:
        self._due = None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_ANSWER_S)
        command = [
            sys.executable,
            "-m",
            "homeostat.serve.hosts.forkserver",
            str(theirs.fileno()),
            str(life()),
            modules,
            PADDING,
        ]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command,
                env={**_NO_THREADS, **self._environment, **os.environ},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), life()),
                start_new_session=True,
            )
        self._control = ours

    def _ask(self, asked: bytes, link: socket.socket) -> Forked | None:
        with self._asking:
            control = self._control
            if control is None:
                return None
            heard, told = os.pipe()
            try:
                socket.send_fds(control, [asked], [link.fileno(), told])
                said, fds, _, _ = socket.recv_fds(control, 64, 1)
            except OSError:
                os.close(heard)
                raise
            finally:
                os.close(told)
            if not fds:
                os.close(heard)
                if said == REFUSED:
                    self._is_hopeless = True
                    raise ConnectionAbortedError("something that it imports has threads")
                raise ConnectionResetError("it ended while it was asked")
            os.set_blocking(heard, False)
            return Forked(int(said), of=fds[0], told=heard)

    def _give_up(self) -> None:
        process, control = self._process, self._control
        self._process = self._control = None
        self._is_ready = False
        if control is not None:
            control.close()
        if process is not None:
            process.kill()
            process.wait()


def _is_readable(fd: int) -> bool:
    found = select.poll()
    found.register(fd, select.POLLIN)
    return bool(found.poll(0))
