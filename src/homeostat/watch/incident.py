"""Incidents: windows that alarm for one kind of cause, brought together into one story with a beginning and an end. Pure.

An incident opens when two of the newest three windows alarm for the same kind of cause, takes in every column that moves meanwhile, gets
worse or not, and is over when two windows in a row do not alarm. People hear of its beginning, of its getting worse, and of its end; not
of every window. One that begins again within the cool-down goes on where it was, and nobody is told twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from homeostat.core.ids import derived_id
from homeostat.core.records.watching import Incident

OF = 3  # the newest windows that count
OPENS = 2  # of them must alarm
OVER = 2  # windows in a row without an alarm
WORSE = 1.5  # times the severity that was told last

Word = Literal["opened", "reopened", "escalated", "resolved", "continued"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What one window says of one kind of cause. `severity`: drift times importance, 1 where the alarm threshold is just reached."""

    is_alarm: bool
    because: str = ""
    columns: tuple[str, ...] = ()
    severity: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What became of an incident with the newest window. `is_told`: people are alerted."""

    incident: Incident
    word: Word
    is_told: bool


def follow(
    known: Incident | None,
    signs: Sequence[Sign],
    *,
    model: str,
    kind: str,
    version: int,
    start: datetime,
    end: datetime,
    cooldown: timedelta,
) -> Step | None:
    """Return what becomes of the model's incident of that kind with the window that ends at `end`; None for nothing.

    `known`: the newest incident of the kind, open or over. `signs`: of the newest windows, oldest first, this one last.
    """
    newest = signs[-1]
    if known is not None and known.resolved is None:
        if newest.is_alarm:
            return _go_on(known, newest, end=end)
        if len(signs) >= OVER and not any(sign.is_alarm for sign in signs[-OVER:]):
            return Step(incident=replace(known, resolved=end, updated=end), word="resolved", is_told=True)
        return None
    alarms = [sign for sign in signs[-OF:] if sign.is_alarm]
    if not newest.is_alarm or len(alarms) < OPENS:
        return None
    columns = _together(alarms)
    if known is not None and known.resolved is not None and start - known.resolved < cooldown:
        again = replace(known, resolved=None, columns=_joined(known.columns, columns), because=newest.because)
        return _as_reopened(again, newest, end=end)
    opened = Incident(
        incident_id=derived_id("incident", model, kind, end.isoformat()),
        model=model,
        kind=kind,
        version=version,
        opened=end,
        updated=end,
        windows=len(alarms),
        severity=max(sign.severity for sign in alarms),
        told_severity=max(sign.severity for sign in alarms),
        columns=columns,
        because=newest.because,
    )
    return Step(incident=opened, word="opened", is_told=True)


def severity(
    columns: Sequence[str], strengths: Mapping[str, float], importance: Mapping[str, float], *, least: float = 0.05
) -> float:
    """Return the greatest drift times importance over the columns. A column without a known importance counts in full.

    `strengths`: effects in units of their alarm thresholds; `importance` in [0, 1], never taken below `least`.

    >>> severity(["a", "b"], {"a": 2.0, "b": 4.0}, {"a": 1.0, "b": 0.1})
    2.0
    """
    return max((strengths.get(name, 1.0) * max(importance.get(name, 1.0), least) for name in columns), default=1.0)


def level(value: float) -> Literal["low", "medium", "high"]:
    """Return the severity as a word: high from twice the alarm threshold of what the model rests on most."""
    return "high" if value >= 2.0 else "medium" if value >= 0.5 else "low"


def _go_on(known: Incident, sign: Sign, *, end: datetime) -> Step:
    worst = max(known.severity, sign.severity)
    is_worse = sign.severity >= WORSE * known.told_severity
    after = replace(
        known,
        updated=end,
        windows=known.windows + 1,
        severity=worst,
        told_severity=sign.severity if is_worse else known.told_severity,
        columns=_joined(known.columns, sign.columns),
        because=sign.because,
    )
    return Step(incident=after, word="escalated" if is_worse else "continued", is_told=is_worse)


def _as_reopened(again: Incident, sign: Sign, *, end: datetime) -> Step:
    step = _go_on(again, sign, end=end)
    return step if step.is_told else Step(incident=step.incident, word="reopened", is_told=False)


def _together(signs: Sequence[Sign]) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    for sign in signs:
        found = _joined(found, sign.columns)
    return found


def _joined(known: tuple[str, ...], more: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*known, *more]))
