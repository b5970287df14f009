"""What went in: committed versions of the data, and batches that broke the contract."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from homeostat.core.values import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """A committed version: `version` counts from 1; `table_version` is the table store's own number."""

    dataset: str
    version: int
    table_version: int
    rows: int
    added: int
    created: datetime
    source: str
    schema: Json
    profile: Json
    key: str | None = None


class QuarantineState(StrEnum):
    HELD = "held"
    RELEASED = "released"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedBatch:
    """A batch that broke the contract, whole, with the report that says where."""

    batch_id: str
    dataset: str
    created: datetime
    source: str
    rows: int
    location: str
    report: Json
    state: QuarantineState = QuarantineState.HELD
    resolved_by: str | None = None
    resolved: datetime | None = None
    reason: str | None = None
