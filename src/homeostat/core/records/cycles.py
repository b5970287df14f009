"""Turns of the loop."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from homeostat.core.values import Json


class CycleState(StrEnum):
    RUNNING = "running"
    PROMOTED = "promoted"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        return self is not CycleState.RUNNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One turn of the loop, named after the trigger that fired it."""

    cycle_id: str
    model: str
    trigger: str
    because: str
    started: datetime
    state: CycleState = CycleState.RUNNING
    stage: str = "started"
    ended: datetime | None = None
    run_id: str | None = None
    version: int | None = None
    options: Json = field(default_factory=dict)
    outcome: Json = field(default_factory=dict)
