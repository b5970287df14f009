"""The engine's side of a model's process: starts it, asks it, and starts it anew when it dies, hangs or outgrows its memory."""

import asyncio
import contextlib
import json
import logging
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from homeostat.core.columns import Signature
from homeostat.core.errors import InvalidInput
from homeostat.core.values import Json
from homeostat.serve.answer import VersionDown
from homeostat.serve.beside import MOST_ROWS, beside
from homeostat.serve.evaluator import ModelError
from homeostat.serve.hosts.culprits import Culprits
from homeostat.serve.hosts.fence import PAUSE_S, Fence
from homeostat.serve.hosts.forks import UNSEEN, Forked, Forks
from homeostat.serve.hosts.frames import (
    HEADER_BYTES,
    Ask,
    Failed,
    Frame,
    Ready,
    Said,
    asking,
    framed,
    predictions_of,
    unframed,
)
from homeostat.serve.hosts.life import life
from homeostat.serve.table import Table
from homeostat.track.predictions import Predictions
from homeostat.train.signature import from_json

log = logging.getLogger(__name__)
_MODULE = "homeostat.serve.hosts.child"
_LOAD_S = 120.0
_LOOK_S = 1.0
_GRACE_S = 2.0
# of rows that come a few at a time, threads make waiting: measured, they took 40 % of the throughput
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """`command`: the interpreter, ours or that of the version's own environment. `module`: what it runs. `memory_bytes`: resident memory above which it is started anew.

    `pause_s`: until a process that was given up is tried again for the first time. `forks`: forks the process where it can, in place of starting Python anew; only for our own interpreter, module and environment.
    """

    command: Sequence[str] = (sys.executable,)
    module: str = _MODULE
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    memory_bytes: int | None = None
    pause_s: float = PAUSE_S
    forks: Forks | None = None

    @property
    def is_ours(self) -> bool:
        """Whether a fork of our own interpreter is as good."""
        return tuple(self.command) == (sys.executable,) and self.module == _MODULE


Process = subprocess.Popen[bytes] | Forked


class Host:
    """An Evaluator. Given up, it fails every question at once, until it is tried again (see `fence`).

    `on_unhealthy(reason)` is called when it is given up, `on_healthy` when it answers after that. `given_up`: why it was before; then it is
    tried with the first question.
    """

    kind = "process"

    def __init__(
        self,
        package: Path,
        *,
        signature: Json | None,
        settings: HostSettings,
        on_unhealthy: Callable[[str], None] = lambda _reason: None,
        on_healthy: Callable[[], None] = lambda: None,
        given_up: str | None = None,
    ) -> None:
        self._package = package
        self._given = signature
        self._settings = settings
        self._on_unhealthy = on_unhealthy
        self._on_healthy = on_healthy
        self._process: Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._signature: Signature | None = None
        self._fence = Fence(reason=given_up, pause_s=settings.pause_s)
        self._again = 0.0  # when it is started again, where it was given up
        self._culprits = Culprits()
        self._in_hand: bytes | None = None
        self._started = 0.0
        self._reason = "its process has not been started"
        self._starting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._is_closed = False
        self._burials: set[asyncio.Task[int]] = set()
        self._settled = asyncio.Event()  # up, given up or closed: there is nothing to wait for

    @property
    def signature(self) -> Signature:
        assert self._signature is not None
        return self._signature

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def is_given_up(self) -> bool:
        return self._fence.reason is not None

    @property
    def is_half_open(self) -> bool:
        return self._fence.reason is not None and self._writer is not None

    def down(self) -> VersionDown | None:
        """Return why it cannot be asked now, None where it can. A death that nobody has noticed is noticed here."""
        process, reader = self._process, self._reader
        if process is not None and reader is not None and (reader.at_eof() or process.poll() is not None):
            self._died()
        if self._writer is not None:
            return None
        if self._fence.reason is None:
            return VersionDown(f"{self._reason}; it is being started again", hint="ask again in a second")
        left_s = max(1, math.ceil(self._again - time.monotonic()))
        return VersionDown(
            f"{self._fence.reason}; it is tried again in {left_s} s",
            hint="put another version to work: `homeostat models rollback` or `homeostat models promote`",
            retry_after_s=left_s,
        )

    def refused(self, table: Table) -> ModelError | None:
        """Return why a request is not asked: the process ended over it twice, or hung. One client must not keep the version from all others."""
        if not self._culprits.any or not self._culprits.knows(framed(asking(table))):
            return None
        return ModelError(
            "RowsEndItsProcess", "its process died or hung over these very rows, which are not asked again for now"
        )

    async def until_up(self, limit_s: float) -> None:
        """Return when it can be asked, when it was given up, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._settled.wait()

    async def start(self) -> None:
        """Start the process and wait until it has loaded the package; raise InvalidInput where it cannot."""
        await self._start()
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def evaluate(self, table: Table) -> Predictions:
        """Return the answers to the rows, from the process."""
        is_long = table.height > MOST_ROWS
        question = await beside(partial(asking, table), is_long=is_long)
        said = await self.ask(question)
        return await beside(partial(predictions_of, said, self.signature.classes), is_long=is_long)

    async def ask(self, question: Ask) -> Said:
        """Return what the process says. Not to be called twice at once."""
        data = framed(question)
        if (down := self.down()) is not None:
            raise down
        reader, writer = self._reader, self._writer
        assert reader is not None
        assert writer is not None
        self._in_hand = data
        try:
            writer.write(data)
            await writer.drain()
            frame = await _read(reader)
        except (OSError, asyncio.IncompleteReadError) as error:
            await _ended(self._process)
            if self._writer is writer:  # else its death is known, and another process may be there by now
                self._died()
            raise VersionDown(f"{self._reason}; it is being started again", hint="ask again in a second") from error
        except asyncio.CancelledError:
            self.abort()  # its answer would be taken for that of the next question
            raise
        self._in_hand = None
        if self._culprits.any:
            self._culprits.forget(data)
        if self._fence.answered(lived_s=time.monotonic() - self._started):
            log.warning("serve.version_recovered", extra={"package": self._package.name})
            self._on_healthy()
        if isinstance(frame, Failed):
            raise ModelError(frame.kind, frame.message)
        assert isinstance(frame, Said)
        return frame

    def abort(self) -> None:
        """Kill the process, which takes too long, and start another."""
        if self._process is not None and self._writer is not None:
            self._kill()
            self._died("it hung and was killed", hung=True)

    async def close(self) -> None:
        """End the process."""
        self._is_closed = True
        self._settled.set()
        for task in (self._watching, self._starting):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        process = self._process
        self._hang_up()
        if self._burials:
            await asyncio.wait(set(self._burials))
        if process is None:
            return
        await _ended(process, within_s=_GRACE_S)
        if process.poll() is None:
            self._kill()
            await asyncio.to_thread(process.wait)

    # -- inside

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        forks = self._settings.forks
        with theirs:
            forked = None if forks is None else await forks.start(self._package, theirs, signature=self._given)
            self._process = forked or self._anew(theirs)
        self._started = time.monotonic()
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            async with asyncio.timeout(_LOAD_S):
                frame = await _read(reader)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            writer.close()
            self._kill()
            code = await asyncio.to_thread(self._process.wait)
            raise InvalidInput(
                f"the process of the model in {self._package.name} ended while it loaded it ({_told(code)})",
                hint="what it said last is above; try it with `homeostat check`",
            ) from error
        except BaseException:
            writer.close()
            self._kill()
            raise
        if isinstance(frame, Failed):
            writer.close()
            await asyncio.to_thread(self._process.wait)
            raise InvalidInput(frame.message, hint=frame.hint)
        assert isinstance(frame, Ready)
        if forks is not None:
            forks.want(frame.modules)  # for the next one
        self._reader, self._writer = reader, writer
        self._signature = from_json(frame.signature)
        self._settled.set()

    def _anew(self, link: socket.socket) -> "subprocess.Popen[bytes]":
        command = [
            *self._settings.command,
            "-m",
            self._settings.module,
            str(self._package),
            str(link.fileno()),
            str(life()),
            *([] if self._given is None else [json.dumps(self._given)]),
        ]
        return subprocess.Popen(  # noqa: S603 - our own module; starting takes a millisecond
            command,
            env={**ONE_THREAD, **self._settings.environment},
            stdin=subprocess.DEVNULL,
            pass_fds=(link.fileno(), life()),
            start_new_session=True,
        )

    def _died(self, reason: str | None = None, *, hung: bool = False) -> None:
        """Note a death, and start again or give up. A question counts once, however often it is asked."""
        if self._is_closed or self._writer is None:
            return
        process = self._process
        self._hang_up()
        self._settled.clear()
        code = None if process is None else process.poll()
        if process is not None and code is None:
            # what has much memory takes long to end, and other models share the loop
            burial = asyncio.get_running_loop().create_task(asyncio.to_thread(process.wait))
            self._burials.add(burial)
            burial.add_done_callback(self._burials.discard)
        self._reason = reason or f"its process died ({_told(code)})"
        question, self._in_hand = self._in_hand, None
        counts = question is None or self._culprits.note(question, times=2 if hung else 1)
        after_s = self._fence.died(self._reason, counts=counts, lived_s=time.monotonic() - self._started)
        log.warning(
            "serve.model_process_died",
            extra={"package": self._package.name, "why": self._reason, "times": self._fence.deaths},
        )
        self._start_in(after_s)

    def _start_in(self, after_s: float) -> None:
        """Start again after so many seconds; until then nobody waits where it was given up."""
        self._starting = asyncio.get_running_loop().create_task(self._start_again(after_s))
        if (reason := self._fence.reason) is None:
            return
        self._again = time.monotonic() + after_s
        self._settled.set()
        log.error(
            "serve.version_fenced", extra={"package": self._package.name, "why": reason, "again_in_s": round(after_s)}
        )
        self._on_unhealthy(reason)

    async def _start_again(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        try:
            await self._start()
        except (InvalidInput, OSError) as error:
            told = error.message if isinstance(error, InvalidInput) else str(error)
            # one more end: who kills processes may meet one that is still loading
            why = f"{self._reason}, and does not start again: {told}"
            self._start_in(self._fence.died(why, counts=True, lived_s=0.0))

    async def _watch(self) -> None:
        """Look after the process between questions: one that died is started before anybody asks, one that leaks is replaced."""
        while True:
            await asyncio.sleep(_LOOK_S)
            process, limit = self._process, self._settings.memory_bytes
            if process is None or self._writer is None:
                continue
            if process.poll() is not None:
                self._died()
            elif limit is not None and (used := _resident(process.pid)) > limit:
                self._kill()
                self._in_hand = None  # what leaks is no single question's fault
                self._died(f"its process took {used >> 20} MB of memory, {limit >> 20} are allowed")

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    def _kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()  # one that was forked this moment leads no group yet


async def _ended(process: Process | None, *, within_s: float = 0.5) -> None:
    """Return when the process has ended, or after so many seconds."""
    until = time.monotonic() + within_s
    # nothing tells of the end of a process
    while process is not None and process.poll() is None and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def _read(reader: asyncio.StreamReader) -> Frame:
    head = await reader.readexactly(HEADER_BYTES)
    return unframed(await reader.readexactly(int.from_bytes(head, "little")))


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _told(code: int | None) -> str:
    if code is None:
        return "it closed its connection"
    if code == UNSEEN:
        return "nobody saw how"
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
