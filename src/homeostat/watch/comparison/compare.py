"""The verdict on two tables, from what each method measured in each column. Pure.

A column has moved where an effect reaches its limit AND is not chance: its p-value, adjusted over everything that was tested in the two
tables (Benjamini and Hochberg), is below alpha. With many rows anything is significant, with few anything is far; neither alone is drift.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from homeostat.watch.comparison.answers import ANSWERS
from homeostat.watch.comparison.result import ColumnVerdict, Comparison, Picture
from homeostat.watch.comparison.side import Side
from homeostat.watch.method import Measured, Method, SampleKind
from homeostat.watch.methods import chosen
from homeostat.watch.sample import Categories, Numbers, aligned_counts
from homeostat.watch.settings import DriftSettings
from homeostat.watch.significance import homogeneity_p_value
from homeostat.watch.verdict import Drift, State, adjusted, drift_of

_DEFAULTS: Mapping[SampleKind, tuple[str, ...]] = {
    "number": ("wasserstein",),
    "category": ("jensen_shannon", "l_infinity", "unseen"),
}
# How much the share of rows that have no value, or none of the kind, may move: (words, warns, alarms).
SHARES = {
    "missing": ("has no value", 0.05, 0.1),
    "infinite": ("is infinite", 0.001, 0.01),
    "spoilt": ("is not of its kind", 0.001, 0.01),
}
_MOST_BARS = 12
_RANK = {"alarm": 0, "warn": 1, "unknown": 2, "ok": 3}


def compare_column(name: str, reference: Side, current: Side, *, settings: DriftSettings) -> ColumnVerdict:
    """Return what was measured in a column; its state waits for the p-values of all columns (`judged`)."""
    drifts = shares_moved(name, reference, current, settings)
    ours, theirs = reference.sample, current.sample
    if ours is not None and theirs is not None:
        kind: SampleKind = "number" if isinstance(ours, Numbers) else "category"
        rows = min(len(ours), len(theirs))
        drifts += [
            drift_of(name, method, method.measure(ours, theirs), rows=rows, settings=settings)
            for method in chosen(kind, settings.methods if settings.methods is not None else _DEFAULTS[kind])
        ]
    return ColumnVerdict(
        name=name,
        kind=reference.kind,
        state="unknown",
        because="",
        drifts=drifts,
        reference=facts_of(reference),
        current=facts_of(current),
        picture=None if ours is None or theirs is None else picture_of(ours, theirs),
    )


def alone(name: str, side: Side | None, *, is_gone: bool) -> ColumnVerdict:
    """Return the verdict on a column that only one of the tables has: one that is gone alarms, a new one warns."""
    facts = None if side is None else facts_of(side)
    return ColumnVerdict(
        name=name,
        kind=None if side is None else side.kind,
        state="alarm" if is_gone else "warn",
        because="the current rows do not have it" if is_gone else "the reference does not have it",
        reference=facts if is_gone else None,
        current=None if is_gone else facts,
    )


def unread(name: str, because: str) -> ColumnVerdict:
    """Return the verdict on a column that cannot be compared."""
    return ColumnVerdict(name=name, kind=None, state="unknown", because=because)


def judged(
    columns: Sequence[ColumnVerdict],
    *,
    names: tuple[str, str],
    rows: tuple[int, int],
    by: str,
    settings: DriftSettings,
    notes: Sequence[str] = (),
    answers: ColumnVerdict | None = None,
) -> Comparison:
    """Return the whole from the columns and the answers, each with its state now. `names` and `rows` are those of reference and current."""
    parts = [*columns, *([] if answers is None else [answers])]
    tested = adjusted([drift for part in parts for drift in part.drifts], alpha=settings.alpha)
    done, at = [], 0
    for part in parts:
        drifts = tested[at : at + len(part.drifts)]
        at += len(drifts)
        done.append(_with_state(part, drifts, settings))
    states = {one.state for one in done}
    answers = done.pop() if answers is not None else None
    ordered = sorted(done, key=lambda one: (_RANK[one.state], -_distance(one)))
    state: State = min(states, key=lambda one: _RANK[one], default="unknown")
    if state == "unknown" and "ok" in states:
        state = "ok"
    return Comparison(
        state=state,
        summary=_summary(ordered, answers),
        reference=names[0],
        current=names[1],
        reference_rows=rows[0],
        current_rows=rows[1],
        by="rows" if by == "rows" else "profiles",
        alpha=settings.alpha,
        columns=ordered,
        answers=answers,
        notes=list(notes),
    )


def shares_moved(name: str, reference: Side, current: Side, settings: DriftSettings) -> list[Drift]:
    """Return how much the shares of rows moved that have no value, or none of the kind."""
    found = (_share(name, what, reference, current, settings) for what in SHARES)
    return [one for one in found if one is not None]


def _share(name: str, what: str, reference: Side, current: Side, settings: DriftSettings) -> Drift | None:
    """Return how much the share of such rows moved; None where neither side has any."""
    ours, theirs = getattr(reference, what), getattr(current, what)
    if not ours and not theirs:
        return None
    _, warn, alarm = SHARES[what]
    before, after = np.array([ours, reference.rows - ours], float), np.array([theirs, current.rows - theirs], float)
    measured = Measured(
        effect=abs(_ratio(theirs, current.rows) - _ratio(ours, reference.rows)),
        p_value=homogeneity_p_value(before, after),
    )
    method = Method(name=what, kinds=frozenset(), warn=warn, alarm=alarm, measure=lambda _a, _b: measured)
    return drift_of(name, method, measured, rows=min(reference.rows, current.rows), settings=settings)


def _with_state(column: ColumnVerdict, drifts: list[Drift], settings: DriftSettings) -> ColumnVerdict:
    if not drifts:
        return column if column.because else _without_measures(column)
    worst = max(drifts, key=lambda one: (-_RANK[one.state], one.effect / one.alarm))
    measured = [one for one in drifts if one.method not in SHARES]
    state: State
    if worst.state in ("warn", "alarm"):
        state, because = worst.state, _moved(worst)
    elif measured and all(one.state == "unknown" for one in measured):
        fewest = min(one.rows for one in measured)
        state, because = "unknown", f"{fewest} values on one side, {settings.min_rows} are needed"
    else:
        state, because = "ok", "as the reference"
    for one in column.joint:
        if _RANK[one.state] < _RANK[state]:
            state, because = (
                one.state,
                f"moved: {one.method} {one.effect:.3g} ({one.alarm:g} alarms; chance {one.p_value:.2g})",
            )
    if column.change:
        state, because = ("alarm" if state == "alarm" else "warn"), f"{column.change}; {because}"
    return msgspec.structs.replace(column, state=state, because=because, drifts=drifts)


def _without_measures(column: ColumnVerdict) -> ColumnVerdict:
    """Return the verdict on dates, which always move on: only their missing values can be compared, and they have none."""
    because = "dates always move on: only whether they are missing or broken is compared"
    if column.change:
        return msgspec.structs.replace(column, state="warn", because=f"{column.change}; {because}")
    return msgspec.structs.replace(column, state="ok", because=because)


def _moved(drift: Drift) -> str:
    chance = f"chance below {max(drift.adjusted or 0.0, 1e-6):.2g}"
    if drift.method in SHARES:
        return f"the share of rows whose value {SHARES[drift.method][0]} moved by {drift.effect:.1%} ({drift.alarm:.1%} alarms; {chance})"
    if drift.method == "unseen":
        return f"{drift.effect:.2%} of the rows are in categories that the reference does not have ({drift.alarm:.1%} alarms; {chance})"
    if drift.method in ANSWERS:
        return f"{ANSWERS[drift.method][0]} {drift.effect:.3g} ({drift.alarm:g} alarms; {chance})"
    return f"moved: {drift.method} {drift.effect:.3g} ({drift.alarm:g} alarms; {chance})"


def _distance(column: ColumnVerdict) -> float:
    return max((one.effect / one.alarm for one in column.drifts), default=math.inf)


def _summary(columns: Sequence[ColumnVerdict], answers: ColumnVerdict | None) -> str:
    told = _columns_summary(columns)
    if answers is None:
        return told
    if answers.state in ("warn", "alarm"):
        return f"the predictions moved; {told}"
    return f"{told}; the predictions {'are as they were' if answers.state == 'ok' else 'could not be compared'}"


def _columns_summary(columns: Sequence[ColumnVerdict]) -> str:
    moved = [one for one in columns if one.state in ("alarm", "warn")]
    unknown = sum(one.state == "unknown" for one in columns)
    rest = f"; {unknown} could not be compared" if unknown else ""
    if unknown == len(columns):
        return f"none of {len(columns)} columns could be compared"
    if not moved:
        return f"{len(columns) - unknown} columns are as the reference{rest}"
    listed = ", ".join(one.name for one in moved[:3]) + (f" and {len(moved) - 3} more" if len(moved) > 3 else "")
    return f"{len(moved)} of {len(columns)} columns moved: {listed}{rest}"


def facts_of(side: Side) -> dict[str, float | str]:
    """Return what is shown of one side, shares first."""
    shares = {what: _ratio(getattr(side, what), side.rows) for what in ("missing", "infinite", "spoilt")}
    return {**{what: share for what, share in shares.items() if share or what == "missing"}, **side.facts}


def _ratio(count: float, rows: int) -> float:
    return count / rows if rows else 0.0


def picture_of(reference: Numbers | Categories, current: Numbers | Categories) -> Picture:
    """Return the shares of both in the reference's bins, or in the most frequent categories."""
    if isinstance(reference, Numbers) and isinstance(current, Numbers):
        edges = [f"{edge:.4g}" for edge in reference.edges]
        labels = [f"{low} to {high}" for low, high in zip(["least", *edges], [*edges, "greatest"], strict=True)]
        ours, theirs = aligned_counts(reference, current)
        return Picture(labels=labels, reference=_shares(ours), current=_shares(theirs))
    assert isinstance(reference, Categories)
    assert isinstance(current, Categories)
    totals = (max(1, len(reference)), max(1, len(current)))

    def share(name: str) -> float:
        return max(reference.counts.get(name, 0) / totals[0], current.counts.get(name, 0) / totals[1])

    often = {*_most(reference), *_most(current)}
    shown = sorted(often, key=lambda name: (-share(name), name))[:_MOST_BARS]
    sides = [[side.counts.get(name, 0) for name in shown] for side in (reference, current)]
    rest = [len(side) - sum(counts) for side, counts in zip((reference, current), sides, strict=True)]
    if any(rest):
        shown, sides = [*shown, "(others)"], [[*counts, more] for counts, more in zip(sides, rest, strict=True)]
    return Picture(
        labels=[name[:80] for name in shown],
        reference=_shares(np.array(sides[0], float)),
        current=_shares(np.array(sides[1], float)),
    )


def _most(side: Categories) -> list[str]:
    from heapq import nsmallest

    return [name for name, _ in nsmallest(_MOST_BARS, side.counts.items(), key=lambda item: (-item[1], item[0]))]


def _shares(counts: "np.typing.NDArray[np.float64]") -> list[float]:
    shares: list[float] = (counts / (counts.sum() or 1.0)).round(6).tolist()
    return shares
