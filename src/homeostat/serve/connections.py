"""What the connections of a server have in common: their limits, what answers them, and their end."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from homeostat.serve.exchange import Request, Response
from homeostat.serve.heads import Heads, Take

log = logging.getLogger(__name__)
Answerer = Callable[[Request], Awaitable[Response]]
ShortWay = Callable[[Request], Take | None]


class OneConnection(Protocol):
    """What `Connections` asks of each."""

    def expire(self, now: float) -> None: ...
    def drain(self) -> None: ...
    def abort(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class Limits:
    """`body_bytes`: of a body, also inflated; `all_bytes`: of all long bodies that are not answered yet.

    `request_s`: for a request to become whole, and for an answer to go on; `idle_s`: between two requests; `linger_s`: for the client to
    read why its request was refused, while it may still be sending.
    """

    body_bytes: int
    all_bytes: int = 1 << 62
    request_s: float = 30.0
    idle_s: float = 75.0
    linger_s: float = 5.0


@dataclass(slots=True, eq=False)
class Connections:
    """All open connections of a server. `short_way`: what takes requests of such a head without anybody waiting, where something does.

    `held`: bytes of the bodies that came in parts or packed, and are not answered yet.
    """

    answer: Answerer
    limits: Limits
    short_way: ShortWay = field(default=lambda _request: None)
    heads: Heads = field(default_factory=Heads)
    open: set[OneConnection] = field(default_factory=set)
    is_draining: bool = False
    held: int = 0

    def sweep(self, now: float) -> None:
        """Give up what takes too long. To be called every second or so."""
        for connection in list(self.open):
            try:
                connection.expire(now)
            except Exception:  # border: a connection; who sweeps must come by again
                log.exception("serve.connection_broke")
                connection.abort()

    async def drain(self, timeout_s: float) -> bool:
        """Close what is idle, let the rest answer what it has read, and return whether all of it was answered in time."""
        self.is_draining = True
        for connection in list(self.open):
            connection.drain()
        until = time.monotonic() + timeout_s
        while self.open and time.monotonic() < until:  # noqa: ASYNC110 - a moment, at the end of the process
            await asyncio.sleep(0.01)
        left = list(self.open)
        for connection in left:
            connection.abort()
        return not left
