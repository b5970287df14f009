"""What homeostat.yaml says about serving."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from homeostat.core.duration import Duration

KEY, CALLER, PARAMS = (
    "key",
    "caller",
    "params",
)  # what requests have beside columns, as `record.drop` and `record.hash` name it


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`key`: the column whose value makes a canary sticky (a customer, a device); without it, the request id decides.

    `durability`: what an answer means for the record. `strict`: it survives a kill of any process; `synced`: a loss of power too, at the cost
    of a disk's sync; `fast`: the last second may be lost. `queue`: requests that may wait for a model; more are refused with 429.
    `timeout`: the longest that one batch may take a model; after that its process is killed. `trial_timeout`: the same for a canary, whose
    requests the champion answers then. `memory`: above that, the process of a model is started anew (None: no limit).
    `standby`: keep the version in memory that a roll-back would bring back, so that it answers at once.
    `environments`: where a version runs that was made with other packages than are installed. `server`: by those all the same; `own`: in an
    environment made for it, for which packages are downloaded and installed.
    `traces`: the share of requests of which spans are sent where OTEL_EXPORTER_OTLP_ENDPOINT says (extra `otel`), beside those that their callers trace.
    `grpc_port`: where the Open Inference Protocol is spoken over gRPC too (extra `grpc`; None: nowhere).
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8700
    control_port: Annotated[int, Meta(ge=0, le=65535)] = 8701
    grpc_port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    key: str | None = None
    max_body: str = "16MB"
    max_job: str = "1GB"
    max_rows: Annotated[int, Meta(ge=1)] = 10_000
    compiled: Literal["auto", "off"] | bool = "auto"  # YAML reads a bare `off` as false
    environments: Literal["server", "own"] = "server"
    durability: Literal["strict", "synced", "fast"] = "strict"
    queue: Annotated[int, Meta(ge=1)] = 1000
    timeout: Duration = msgspec.field(default_factory=lambda: Duration(seconds=30))
    trial_timeout: Duration = msgspec.field(default_factory=lambda: Duration(seconds=5))
    memory: str | None = None
    traces: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    standby: bool = True
    drain: Duration = msgspec.field(default_factory=lambda: Duration(seconds=5))

    @property
    def may_be_compiled(self) -> bool:
        """Whether the compiled form of a version answers, where it has one."""
        return self.compiled in ("auto", True)


class RecordSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`keep`: rows received on earlier days than so long ago are removed for good, labelled or not (None: never).

    `sample`: the share of requests that are recorded, by a hash of their id. `drop`: columns of which nothing is recorded; `hash`: those of
    which a keyed hash is (`data.key`, `data.exclude`; `key`, `caller` and `params`: those that a request brings beside its rows).
    """

    keep: Duration | None = None
    sample: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    drop: list[str] = []
    hash: list[str] = []
