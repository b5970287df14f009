"""One inference process: an event loop, a port that any number of such processes share, stopped without dropping a request."""

import asyncio
import gc
import logging
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from homeostat.core.duration import size_bytes
from homeostat.serve.app import App
from homeostat.serve.connection import Connection
from homeostat.serve.connections import Connections, Limits
from homeostat.serve.door import Desk
from homeostat.serve.listening import reserved

log = logging.getLogger(__name__)
_SWEEP_S = 1.0
_BACKLOG = 2048
_HELD_BYTES = 256 << 20


@dataclass(slots=True, kw_only=True)
class Engine:
    """`make` builds the desk on the event loop, before anything listens; `on_ready` is called with the port; `stop` ends it from a thread.

    `beside`: what else runs on the loop as long as it serves (another protocol's server, say).
    """

    host: str
    port: int
    make: Callable[[], Awaitable[Desk]]
    drain_s: float = 5.0
    on_ready: Callable[[int], None] | None = None
    beside: Callable[[Desk], Awaitable[Callable[[], Awaitable[None]]]] | None = None
    stop: threading.Event | None = None
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)

    def run(self) -> bool:
        """Serve until SIGTERM, SIGINT (in the main thread) or `stop`; return whether every request under way was answered.

        After the signal no connection is taken, and requests under way have `drain_s` to end. Port 0 takes a free one. Raises InvalidInput
        for a host that has no address here, Unreachable where the port is taken.
        """
        import uvloop

        with reserved(self.host, self.port) as holder:
            return uvloop.run(self._serve(holder))

    async def _serve(self, holder: socket.socket) -> bool:
        loop = asyncio.get_running_loop()
        desk = await self.make()
        app = App(desk)
        most = size_bytes(desk.settings.max_body)
        limits = Limits(body_bytes=most, all_bytes=max(_HELD_BYTES, 4 * most))
        connections = Connections(answer=app.answer, short_way=app.short_way, limits=limits)
        self._watch_for_the_end(loop)
        # what is there now stays: collections look at what requests leave alone
        gc.collect()
        gc.freeze()
        gc.set_threshold(5_000, 20, 50)
        server = await loop.create_server(
            lambda: Connection(connections), sock=holder.dup(), backlog=_BACKLOG, reuse_port=None
        )
        end_beside = await self.beside(desk) if self.beside is not None else None
        sweeping = loop.create_task(_sweep(connections))
        if self.on_ready is not None:
            self.on_ready(holder.getsockname()[1])
        await self._wanted.wait()
        server.close()
        sweeping.cancel()
        is_clean = await connections.drain(self.drain_s)
        if end_beside is not None:
            await end_beside()
        if not is_clean:
            log.warning("serve.drain_timed_out", extra={"port": self.port, "seconds": self.drain_s})
        await desk.plane.close(1.0)
        return is_clean

    def _watch_for_the_end(self, loop: asyncio.AbstractEventLoop) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._wanted.set)
        if self.stop is not None:
            threading.Thread(
                target=self._await_stop, args=(loop, self.stop), name="homeostat-stop", daemon=True
            ).start()

    def _await_stop(self, loop: Any, stop: threading.Event) -> None:
        stop.wait()
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._wanted.set)


async def _sweep(connections: Connections) -> None:
    while True:
        await asyncio.sleep(_SWEEP_S)
        connections.sweep(time.monotonic())
