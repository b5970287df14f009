"""What homeostat.yaml says about serving."""

from typing import Annotated

import msgspec
from msgspec import Meta

from homeostat.core.duration import Duration


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`key`: the column whose value makes a canary sticky (a customer, a device); without it, the request id decides."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8700
    control_port: Annotated[int, Meta(ge=0, le=65535)] = 8701
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    key: str | None = None
    max_body: str = "16MB"
    max_rows: Annotated[int, Meta(ge=1)] = 10_000
    drain: Duration = msgspec.field(default_factory=lambda: Duration(seconds=5))
