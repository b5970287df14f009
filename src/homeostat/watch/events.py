"""What a verdict makes known in the audit log, beside that a window was judged. Pure; the replay of a backtest tells the same."""

from homeostat.watch.verdict import Verdict

DECAYED, DRIFTED, BROKEN = "performance.decayed", "drift.detected", "quality.broken"
KINDS = (DECAYED, DRIFTED, BROKEN)
_CAUSES = {DECAYED: ("performance",), DRIFTED: ("drift", "predictions"), BROKEN: ("quality",)}


def told(verdict: Verdict, before: Verdict | None) -> list[str]:
    """Return the kinds of events that the verdict calls for, less those that the one before it on the same window has called for."""
    said = set() if before is None else _called_for(before)
    return [kind for kind in KINDS if kind in _called_for(verdict) - said]


def summary(kind: str, verdict: Verdict) -> str:
    """Return the causes of the kind of event in words; of the whole verdict where it has none of its own."""
    reasons = [cause.because for cause in verdict.causes if cause.kind in _CAUSES.get(kind, ())]
    return "; ".join(reasons) or verdict.summary


def _called_for(verdict: Verdict) -> set[str]:
    flags = zip(KINDS, (verdict.decayed, verdict.drifted, verdict.broken), strict=True)
    return {kind for kind, is_so in flags if is_so}
