"""What a gate check is, and what it says."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np

from homeostat.core.values import Json
from homeostat.gate.evidence import Evidence
from homeostat.gate.settings import GateSettings
from homeostat.gate.stats import Interval

Wanted: TypeAlias = Literal["<=", ">=", "<", "=="]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One thing that was looked at. `passed` None: it did not apply, and `reason` says why.

    `subject` is what within the check: a metric, a column. `limit` is what `value` was held against, in the sense of `wanted`. `reason` is
    one sentence for people. `details` is JSON-ready. NaN and infinity become None, so that the report is JSON; the reason says so.
    """

    check: str
    passed: bool | None
    reason: str
    subject: str = ""
    value: float | None = None
    limit: float | None = None
    wanted: Wanted = "<="
    interval: Interval | None = None
    details: Json = field(default_factory=dict)

    def to_json(self) -> Json:
        """Return the result as JSON-ready values."""
        body = {name: getattr(self, name) for name in ("check", "subject", "passed", "wanted", "reason")}
        numbers = {"value": _finite(self.value), "limit": _finite(self.limit)}
        interval = None if self.interval is None else {k: _finite(v) for k, v in asdict(self.interval).items()}
        return {**body, **numbers, "interval": interval, "details": _json_ready(self.details)}

    @classmethod
    def from_json(cls, body: Json) -> "Result":
        """Return what `to_json` wrote."""
        known = {name: value for name, value in body.items() if name in cls.__dataclass_fields__}
        interval = known.pop("interval", None)
        ends = {k: math.nan if v is None else v for k, v in interval.items()} if interval else None
        return cls(**known, interval=msgspec.convert(ends, Interval) if ends else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A plug-in of the gate. `run` looks at the evidence and returns one result for each thing that it looked at, at least one.

    It may raise: the suite makes a failed result of it.
    """

    name: str
    run: Callable[[Evidence, GateSettings], list[Result]]


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _json_ready(value: Any) -> Any:
    """Containers, numbers and texts as JSON has them; whatever else as text."""
    match value:
        case np.generic():
            return _json_ready(value.item())
        case None | bool() | int() | str():
            return value
        case float():
            return _finite(value)
        case dict():
            return {str(key): _json_ready(item) for key, item in value.items()}
        case list() | tuple():
            return [_json_ready(item) for item in value]
        case _:
            return str(value)
