"""What an endpoint is: a method, a path and a handler, which parses on the event loop and says where the work is to be done.

A handler gets the Call and the Desk and returns

- a dict: the JSON answer;
- a `Reply` or a Starlette response: the answer as it is;
- `Read(work)`: `work(tx)` is run in a reader thread on a consistent view; its dict or Reply is the answer;
- `Write(work)`: `work(tx)` is run by the one writer; the answer goes out when the change is on disk. Several changes share a transaction,
  each in a savepoint of its own: keep `work` to the database, and raise before or in it to change nothing;
- `Work(work)`: `work()` is run in a thread, for anything else that blocks.

So handlers check everything that needs no database first, on the loop, in microseconds. An `async def` handler is awaited (streams).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.store import Store, Transaction
from homeostat.web.mlflow_api.call import Call

if TYPE_CHECKING:
    from homeostat.app.wiring import House

MOST_BODY_BYTES = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What handlers work with. `house` is the project that this server belongs to; None where it is a tracking server alone."""

    store: Store
    blobs: BlobStore
    clock: Clock
    actor: str
    house: "House | None" = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)


@dataclass(frozen=True, slots=True)
class Read:
    """Work on a consistent view, in a reader thread."""

    work: Callable[[Transaction], Any]


@dataclass(frozen=True, slots=True)
class Write:
    """A change, made by the one writer, durable before it is answered. `after` turns its result into the answer, on the event loop."""

    work: Callable[[Transaction], Any]
    after: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """Anything that blocks, in a thread."""

    work: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path` is relative to `/api/2.0/mlflow/`, `/api/3.0/mlflow/` and their twins below `/ajax-api/`.

    One that starts with `mlflow-artifacts/` is relative to `/api/2.0/`, ...; one that starts with `/` is absolute. `{name}` matches one
    segment, `{name:path}` the rest. Method `*` matches all. With `streams`, the body is not read: the handler takes it from
    `call.receive`. A body above `body_limit` bytes is refused.

    For the API's description: `takes` and `answers` are media types, `examples` values of fields for which not any will do.
    """

    method: str
    path: str
    handler: Callable[[Call, Desk], Any]
    streams: bool = False
    body_limit: int = field(default=MOST_BODY_BYTES)
    takes: tuple[str, ...] = ("application/json",)
    answers: str = "application/json"
    examples: dict[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in the path."""
        return tuple(re.findall(r"\{(\w+)", self.path))

    @property
    def paths(self) -> tuple[str, ...]:
        """Every absolute path that the endpoint answers at."""
        if self.path.startswith("/"):
            return (self.path,)
        middle = "" if self.path.startswith("mlflow-artifacts/") else "mlflow/"
        return tuple(
            f"/{root}/{version}/{middle}{self.path}" for root in ("api", "ajax-api") for version in ("2.0", "3.0")
        )
