"""`homeostat up`: one process tree. Starts the processes, restarts what dies or hangs, stops all of them cleanly."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from homeostat.core.errors import HomeostatError, Unreachable

log = logging.getLogger(__name__)

_BACK_OFF_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_S = 30.0
_HOPELESS = 4
_ORPHANS_S = 3.0
_PARENT = "HOMEOSTAT_SUPERVISOR_PID"
_HEART = "HOMEOSTAT_HEART"  # the end of a pipe, into which a program beats
_BEAT_S = 1.0
HUNG_S = 30.0  # without a beat
_AWAY_S = 5.0  # between two looks: it was we who did not move


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A process that must always be there."""

    name: str
    command: Sequence[str]


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    due: float = 0.0
    heart: int | None = None
    heard: float | None = None  # None: it has not begun to beat


@dataclass(slots=True)
class Supervisor:
    """Keeps programs running until `stop`. A program that dies is started again, at once the first time, then ever more slowly.

    One whose heart (`beat`) has stood still for `hung_s` seconds is killed: its share of the requests would wait for ever.
    """

    programs: Sequence[Program]
    environment: dict[str, str]
    grace_s: float = 10.0
    hung_s: float = HUNG_S
    on_change: Callable[[str, str], None] = lambda _name, _what: None
    _children: list[_Child] = field(default_factory=list)
    _stopping: bool = False
    _looked: float = 0.0

    def start(self) -> None:
        for program in self.programs:
            child = _Child(program)
            self._children.append(child)
            self._spawn(child)

    def watch(self, *, poll_s: float = 0.2) -> None:
        """Restart what dies, until `stop` is called (by a signal handler, say)."""
        while not self._stopping:
            self.look(time.monotonic())
            time.sleep(poll_s)

    def look(self, now: float) -> None:
        """Note who died, kill who hangs, and start again who is due."""
        was_away, self._looked = now - self._looked > _AWAY_S, now
        for child in self._children:
            process = child.process
            if process is not None and self._hangs(child, now, was_away=was_away):
                self.on_change(child.program.name, f"has not moved for {self.hung_s:g} s and is killed")
                process.kill()
                process.wait()
            if process is not None and process.poll() is not None:
                child.deaths = 1 if now - child.started > _STEADY_S else child.deaths + 1
                child.due = now + _BACK_OFF_S[min(child.deaths, len(_BACK_OFF_S)) - 1]
                child.process = None
                self.on_change(child.program.name, _obituary(process.returncode, child.deaths, child.due - now))
            if child.process is None and now >= child.due:
                self._spawn(child)

    def _hangs(self, child: _Child, now: float, *, was_away: bool) -> bool:
        """Return whether the program's heart has stood still for too long, having listened to it."""
        assert child.heart is not None
        try:
            beats = os.read(child.heart, 4096)
        except BlockingIOError:
            beats = b""
        if beats or (was_away and child.heard is not None):
            child.heard = now
        return child.heard is not None and now - child.heard > self.hung_s

    @property
    def is_stopping(self) -> bool:
        return self._stopping

    def stop(self) -> None:
        """Ask `watch` to return."""
        self._stopping = True

    def shut_down(self) -> None:
        """Ask every process to end, wait, and kill what is left after the grace time."""
        alive = [child.process for child in reversed(self._children) if child.process is not None]
        for process in alive:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self.grace_s
        for process in alive:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("killing process %s, which did not stop", process.pid)
                process.kill()
                process.wait()
        for child in self._children:
            if child.heart is not None:
                os.close(child.heart)
                child.heart = None

    def never_lived(self) -> str | None:
        """Return the name of a program that has died at its start again and again, None where each has a chance."""
        return next((child.program.name for child in self._children if child.deaths >= _HOPELESS), None)

    def pids(self) -> dict[str, int]:
        """Return the process id of every program that runs now."""
        return {child.program.name: child.process.pid for child in self._children if child.process is not None}

    def _spawn(self, child: _Child) -> None:
        if child.heart is not None:
            os.close(child.heart)
        child.heart, theirs = os.pipe()
        child.heard = None
        os.set_blocking(child.heart, False)
        child.process = subprocess.Popen(  # noqa: S603 - our own modules
            list(child.program.command),
            env={**self.environment, _PARENT: str(os.getpid()), _HEART: str(theirs)},
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs,),
            start_new_session=True,
        )
        os.close(theirs)
        child.started = time.monotonic()
        log.info("started %s as process %s", child.program.name, child.process.pid)


def python_module(name: str, module: str, *arguments: str) -> Program:
    """Return a program that runs one of our modules with this interpreter."""
    return Program(name=name, command=(sys.executable, "-m", module, *arguments))


def run_program(main: Callable[[], None]) -> None:
    """Run a supervised process; an error that a user can act on is said in two lines, not as a traceback."""
    try:
        main()
    except HomeostatError as error:
        sys.stderr.write(f"error: {error.message}\n" + (f"tip: {error.hint}\n" if error.hint else ""))
        sys.exit(error.exit_status)


def exit_when_orphaned(poll_s: float = 0.5) -> None:
    """End this process when its parent dies (kill -9 of the supervisor): its ports must be free for the next `homeostat up`."""
    import threading

    # told, not looked up: the supervisor may be dead before this process has come so far
    parent = int(os.environ.get(_PARENT) or os.getppid())

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(poll_s)
        os._exit(1)

    threading.Thread(target=watch, name="orphan-watch", daemon=True).start()


async def beat() -> None:
    """Let the supervisor hear, every second, that this event loop moves; returns at once in a process that is not its child."""
    import asyncio

    if os.environ.get(_PARENT) != str(os.getppid()) or _HEART not in os.environ:
        return
    heart = int(os.environ[_HEART])
    os.set_blocking(heart, False)
    while True:
        with contextlib.suppress(OSError):  # nobody listens for the moment, or any more
            os.write(heart, b".")
        await asyncio.sleep(_BEAT_S)


def free_port(host: str, port: int, *, patience_s: float = _ORPHANS_S) -> None:
    """Return when nobody listens on the port (processes of a killed supervisor take a moment to go); Unreachable where somebody stays."""
    deadline = time.monotonic() + patience_s
    while (error := _taken(host, port)) is not None:
        if time.monotonic() >= deadline:
            raise Unreachable(
                f"cannot listen on {host}:{port}: {error.strerror}",
                hint="is another `homeostat up` running? Set serve.port, serve.control_port and serve.grpc_port to free ones",
            ) from error
        time.sleep(0.05)


def _taken(host: str, port: int) -> OSError | None:
    import socket

    if port == 0:
        return None
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def _obituary(returncode: int, deaths: int, wait_s: float) -> str:
    told = f"died ({_told(returncode)})"
    if deaths == 1:
        return f"{told}, starting again"
    return f"{told} {deaths} times in a row, starting again in {wait_s:g} s; its last words are above"


def _told(returncode: int) -> str:
    if returncode < 0:
        return f"signal {signal.Signals(-returncode).name}"
    return f"exit {returncode}"
