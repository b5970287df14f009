"""What all columns together say, put into a verdict. Pure."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from homeostat.watch.joint import JointDrift
from homeostat.watch.verdict import Cause, Verdict

_NAMED = 3


def with_joint_drift(verdict: Verdict, joint: Sequence[JointDrift], notes: Sequence[str] = ()) -> Verdict:
    """Return the verdict with drift of all columns together. As with single columns, it warns beside labels and alarms only where none come."""
    verdict = msgspec.structs.replace(verdict, joint=list(joint), notes=[*verdict.notes, *notes])
    moved = [one for one in joint if one.state != "ok"]
    if not moved:
        return verdict
    first = max(moved, key=lambda one: (one.state == "alarm", one.effect / one.alarm))
    columns = list(dict.fromkeys(name for one in moved for name in one.columns))
    most = f", most by {', '.join(columns[:_NAMED])}" if columns else ""
    because = f"the inputs together moved ({first.method} {first.effect:.2f}, {first.alarm:.2f} alarms{most})"
    is_alarm = any(one.state == "alarm" for one in moved)
    state: Literal["warn", "alarm"] = "alarm" if is_alarm and not verdict.labels_come else "warn"
    is_news = verdict.state in ("ok", "unknown") or (state == "alarm" and verdict.state == "warn")
    return msgspec.structs.replace(
        verdict,
        state=state if is_news else verdict.state,
        summary=because if is_news else verdict.summary,
        causes=[*verdict.causes, Cause(kind="drift", state=state, because=because, columns=columns)],
        drifted=verdict.drifted or is_alarm,
    )
