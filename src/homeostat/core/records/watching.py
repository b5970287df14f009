"""What watching found: verdicts on windows, and incidents."""

from dataclasses import dataclass
from datetime import datetime

from homeostat.core.values import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowVerdict:
    """What watching one window of one model found; restated windows get a higher `revision`, never an overwrite."""

    model: str
    window_start: datetime
    window_end: datetime
    revision: int
    computed: datetime
    state: str
    body: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Windows that alarmed for one kind of cause, as one story. `resolved` is None while it is open.

    `severity`: the worst so far, 1 where an alarm threshold is just reached; `told_severity`: when people last heard of it.
    """

    incident_id: str
    model: str
    kind: str
    version: int
    opened: datetime
    updated: datetime
    windows: int
    severity: float
    told_severity: float
    because: str
    columns: tuple[str, ...] = ()
    resolved: datetime | None = None
