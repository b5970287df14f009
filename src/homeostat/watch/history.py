"""The windows of a version that were judged before, as what the judgement of the next one rests on. Pure."""

from collections.abc import Iterable
from datetime import datetime

from homeostat.core.records.watching import WindowVerdict
from homeostat.watch.stored import verdict_of
from homeostat.watch.verdict import Past, Verdict, effects_of
from homeostat.watch.windows import Window


def judged_before(
    known: Iterable[WindowVerdict], *, before: datetime, version: int, since: datetime | None
) -> list[WindowVerdict]:
    """Return the windows of the version that ended by then, oldest first; those before a change that a person acknowledged are left out."""
    found = [
        one
        for one in known
        if one.window_end <= before and one.body["version"] == version and (since is None or one.window_start >= since)
    ]
    return sorted(found, key=lambda one: one.window_start)


def past_of(judged: Iterable[WindowVerdict], window: Window, *, by_count: bool) -> tuple[list[float], Past]:
    """Return the effects of mature windows, and what else charts and the measures of drift want to know."""
    history: list[float] = []
    starts: list[datetime] = []
    shares: list[tuple[int, int]] = []
    drifts: list[Verdict] = []
    for one in judged:
        verdict = verdict_of(one)
        if by_count or one.window_end - one.window_start == window.end - window.start:
            drifts.append(verdict)
        if verdict.decay is not None and verdict.decay.effect is not None:
            history.append(verdict.decay.effect)
            starts.append(one.window_start)
        if verdict.quality is not None:
            shares.append((verdict.quality.invalid_rows, verdict.quality.rows))
    return history, Past(
        start=window.start,
        starts=starts,
        shares=shares,
        columns=effects_of(one.columns for one in drifts),
        predictions=effects_of(one.predictions for one in drifts),
    )
