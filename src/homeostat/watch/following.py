"""From verdicts to incidents: what the newest windows say of each kind of cause, and what becomes of its incident."""

from collections.abc import Mapping, Sequence
from typing import Any

from homeostat.audit.log import record
from homeostat.core.ids import derived_id
from homeostat.core.ports.store import Transaction
from homeostat.core.records.watching import WindowVerdict
from homeostat.watch.incident import OF, Sign, follow, level, severity
from homeostat.watch.settings import IncidentSettings

KINDS = ("performance", "drift", "predictions", "quality")
_LEVELS = ("low", "medium", "high")


def follow_incidents(
    tx: Transaction, stored: WindowVerdict, *, importance: Mapping[str, float], settings: IncidentSettings, actor: str
) -> None:
    """Open, go on with or end incidents by a window that was just written; each change is an audit event, in the same transaction.

    `incident.opened`, `.escalated` and `.resolved` are told to people, where `settings.least` is reached.
    """
    newest = [one for one in tx.watch.verdicts(stored.model, limit=OF) if one.body["version"] == stored.body["version"]]
    if not newest or newest[-1].window_end != stored.window_end:
        return  # an older window was restated: the story goes on with the newest
    for kind in KINDS:
        step = follow(
            tx.incidents.newest(stored.model, kind),
            [sign_of(one, kind, importance) for one in newest],
            model=stored.model,
            kind=kind,
            version=stored.body["version"],
            start=stored.window_start,
            end=stored.window_end,
            cooldown=settings.cooldown,
        )
        if step is None:
            continue
        tx.incidents.put(step.incident)
        if step.word == "continued":
            continue
        found = step.incident
        is_told = step.is_told and _LEVELS.index(level(found.severity)) >= _LEVELS.index(settings.least)
        record(
            tx,
            f"incident.{step.word}",
            subject=f"model:{stored.model}",
            actor=actor,
            time=stored.computed,
            payload={
                "incident": found.incident_id,
                "kind": kind,
                "severity": level(found.severity),
                "columns": list(found.columns),
                "because": found.because,
                "is_told": is_told,
            },
            key=derived_id("incident", found.incident_id, step.word, stored.window_end.isoformat(), stored.revision),
        )


def sign_of(stored: WindowVerdict, kind: str, importance: Mapping[str, float]) -> Sign:
    """Return what a window says of a kind of cause."""
    verdict = stored.body["verdict"]
    alarms = [cause for cause in verdict.get("causes", []) if cause["kind"] == kind and cause["state"] == "alarm"]
    if not alarms:
        return Sign(is_alarm=False)
    columns = tuple(dict.fromkeys(name for cause in alarms for name in cause.get("columns", [])))
    return Sign(
        is_alarm=True,
        because="; ".join(cause["because"] for cause in alarms),
        columns=columns,
        severity=_severity(verdict, kind, columns, importance),
    )


def _severity(verdict: Mapping[str, Any], kind: str, columns: Sequence[str], importance: Mapping[str, float]) -> float:
    """Return the severity, 1 where the alarm is just reached: for columns their drift times their importance, else how far beyond the limit it is."""
    if kind in ("drift", "predictions"):
        measured = verdict["columns" if kind == "drift" else "predictions"]
        strengths: dict[str, float] = {}
        for one in measured:
            strengths[one["column"]] = max(strengths.get(one["column"], 0.0), one["effect"] / one["alarm"])
        return severity(columns, strengths, importance if kind == "drift" else {})
    if kind == "performance":
        decay = verdict.get("decay") or {}
        effect, low = decay.get("effect") or 0.0, decay.get("low") or 0.0
        spread = effect - low  # two standard errors
        return effect / spread if spread > 0 else 1.0
    quality = verdict.get("quality") or {}
    return 1.0 + float(quality.get("invalid_share", 0.0))
