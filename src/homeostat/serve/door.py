"""What a protocol is: a door with endpoints, and what their handlers get to work with."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from homeostat.core.ports.clock import Clock
from homeostat.core.values import Json
from homeostat.serve.exchange import Request, Response
from homeostat.serve.manner import Manner
from homeostat.serve.plane import Plane
from homeostat.serve.recorder import Writes
from homeostat.serve.request_ids import RequestIds
from homeostat.serve.scoreboard import Scoreboard
from homeostat.serve.settings import ServeSettings
from homeostat.serve.table import Table


class Explains(Protocol):
    """What tells why a version answers as it does (`serve.explain.explainers`)."""

    async def explain(self, model: str, version: int, table: Table, *, limit_s: float | None = None) -> Json: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What handlers need. `default_model`: whom paths without a model mean; None: the only one, where there is only one.

    `scoreboard`: where processes that share the port put their counts together; None: this one counts for itself.

    `long_turn`: long requests are answered one after the other, so that the memory of one is what all of them take.
    """

    plane: Plane
    record: Writes
    settings: ServeSettings
    clock: Clock
    new_id: Callable[[], str]
    request_ids: RequestIds = field(default_factory=RequestIds)
    long_turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    extra_health: Callable[[], Json] = dict
    default_model: str | None = None
    scoreboard: Scoreboard | None = None
    explainers: Explains | None = None


Handler = Callable[[Desk, Request], Awaitable[Response]]
ErrorForm = Callable[[Any], Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One path with one method. `path` is a pattern: `/models/{model}/predict`. `errors`: how this protocol says what is wrong; None: the native form.

    `quick`: how its most frequent requests are read and told on the short way; None: it has none.
    `schema(desk, model)`: for the API's description, per served model: request and answer as JSON Schemas, with examples.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    errors: ErrorForm | None = None
    quick: Manner | None = None
    schema: Callable[[Desk, str], Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A plug-in: a protocol by its name, and its endpoints."""

    name: str
    endpoints: tuple[Endpoint, ...]
