"""One judgement of one window, from what was measured in it. Pure.

Performance is what counts. Drift of inputs or predictions is a diagnosis: beside labels it warns at most, because on real streams its
alarms do not predict loss. It alarms alone only where no labels can come and nothing better is known.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

import msgspec
import numpy as np

from homeostat.watch.adjust import benjamini_hochberg
from homeostat.watch.attribution import Attribution
from homeostat.watch.charts import PHASE_ONE, Reading, read_charts, read_shares
from homeostat.watch.detection import Detection
from homeostat.watch.estimate import Estimate
from homeostat.watch.fairness import Fairness
from homeostat.watch.joint import JointDrift
from homeostat.watch.method import Measured, Method
from homeostat.watch.performance import Decay, Performance
from homeostat.watch.quality import Quality
from homeostat.watch.settings import DriftSettings, WatchSettings
from homeostat.watch.slices import Slice

State = Literal["ok", "warn", "alarm", "unknown"]
CauseKind = Literal["performance", "drift", "quality", "predictions", "estimate"]


Effects = dict[str, dict[str, list[float]]]


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of earlier windows of the same version beside their effects.

    `starts`: of the windows that `history` has the effects of; `shares`: how many of how many rows were bad; `start`: of the window that is judged.
    `columns`, `predictions`: by column and method, what each drift method found in the earlier windows of the same length, oldest first. They are
    apart: a feature may be named as what is watched of the answers is, `score` or `prediction`.
    """

    start: datetime | None = None
    starts: list[datetime] = []
    shares: list[tuple[int, int]] = []
    columns: Effects = {}
    predictions: Effects = {}


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why a window is not ok: what kind of reason, which columns (the farthest moved first), and the words for it."""

    kind: CauseKind
    state: Literal["warn", "alarm"]
    because: str
    columns: list[str] = []


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One method on one column. `adjusted`: the p-value after Benjamini-Hochberg over all that were measured in the window.

    `usual`: the 99th percentile of the same effect in the first 20 windows, None where fewer are known. `state` unknown: too few values on
    one side, or nothing to test.
    """

    column: str
    method: str
    effect: float
    p_value: float | None
    warn: float
    alarm: float
    rows: int
    adjusted: float | None = None
    usual: float | None = None
    state: State = "unknown"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`state` and one sentence, the causes, and every number they rest on.

    `decayed`, `drifted` (an input or the predictions beyond the alarm threshold) and `broken` (data quality, errors) are what triggers
    read. `labels_come`: whether any label of the model can be expected; without, drift may alarm.
    """

    state: State
    summary: str
    causes: list[Cause]
    decayed: bool
    drifted: bool
    broken: bool
    labels_come: bool
    performance: Performance | None = None
    decay: Decay | None = None
    columns: list[Drift] = []
    predictions: list[Drift] = []
    quality: Quality | None = None
    detections: list[Detection] = []
    estimates: list[Estimate] = []
    joint: list[JointDrift] = []
    slices: list[Slice] = []
    found_slices: list[Slice] = []
    fairness: list[Fairness] = []
    attribution: Attribution | None = None
    notes: list[str] = []

    @property
    def is_mature(self) -> bool:
        return self.performance is not None and self.performance.state == "measured"


def drift_of(column: str, method: Method, measured: Measured, *, rows: int, settings: DriftSettings) -> Drift:
    """Return the raw finding of a method, with its thresholds; an alarm threshold that is set moves the warning's in proportion."""
    alarm = settings.thresholds.get(method.name, method.alarm)
    p_value = measured.p_value if rows >= settings.min_rows else None
    warn = method.warn * alarm / method.alarm
    return Drift(
        column=column, method=method.name, effect=measured.effect, p_value=p_value, warn=warn, alarm=alarm, rows=rows
    )


def judge(
    *,
    performance: Performance | None,
    decay: Decay | None,
    columns: Sequence[Drift],
    predictions: Sequence[Drift],
    quality: Quality | None,
    settings: WatchSettings,
    labels_come: bool = True,
    history: Sequence[float] = (),
    past: Past = Past(),  # noqa: B008 - frozen
    notes: Sequence[str] = (),
) -> Verdict:
    """Return the verdict on a window.

    `history`: the effects (`Decay.effect`) of all earlier windows of the same version, oldest first. From 8 on, control charts warn of what two standard errors cannot see yet, against the first 20: what the version was
    like before it aged.
    """
    beside = [*_beside_past(columns, past.columns), *_beside_past(predictions, past.predictions)]
    tested = adjusted(beside, alpha=settings.drift.alpha)
    columns, predictions = tested[: len(columns)], tested[len(columns) :]
    highest: Literal["warn", "alarm"] = "warn" if labels_come else "alarm"
    reading = _reading(decay, history, past)
    causes = [
        *_performance_causes(decay, reading, performance),
        *_quality_causes(quality, past),
        *_drift_causes("drift", columns, highest),
        *_drift_causes("predictions", predictions, highest),
    ]
    is_measured = decay is not None and decay.effect is not None
    is_looked_at = is_measured or (not labels_come and any(one.state != "unknown" for one in tested))
    state = _state(causes, is_looked_at=is_looked_at)
    unmeasured = [one.column for one in tested if one.state == "unknown"]
    too_few = [f"too few values to measure drift in {_listed(unmeasured)}"] if unmeasured else []
    return Verdict(
        state=state,
        summary=_summary(state, causes, performance, decay, columns, labels_come=labels_come),
        causes=causes,
        decayed=decay is not None and decay.decayed,
        drifted=any(one.state == "alarm" for one in tested),
        broken=quality is not None and quality.broken,
        labels_come=labels_come,
        performance=performance,
        decay=decay,
        columns=columns,
        predictions=predictions,
        quality=quality,
        notes=[*notes, *too_few, *reading.information],
    )


def with_detections(verdict: Verdict, detections: Sequence[Detection]) -> Verdict:
    """Return the verdict with what the detectors said about its labelled rows: a warning, where nothing worse is known."""
    if not detections:
        return verdict
    because = "; ".join(one.because for one in detections)
    causes = [*verdict.causes, Cause(kind="performance", state="warn", because=because)]
    is_news = verdict.state in ("ok", "unknown")
    return msgspec.structs.replace(
        verdict,
        state="warn" if is_news else verdict.state,
        summary=because if is_news else verdict.summary,
        causes=causes,
        detections=list(detections),
    )


def effects_of(earlier: Iterable[Sequence[Drift]]) -> Effects:
    """Return what each drift method found in each column of some windows, in their order."""
    effects: Effects = {}
    for one in (drift for window in earlier for drift in window):
        effects.setdefault(one.column, {}).setdefault(one.method, []).append(one.effect)
    return effects


def _beside_past(found: Sequence[Drift], past: Effects) -> list[Drift]:
    """Return the findings with what was usual in the first windows: a column that always differs so much from the held-out rows is no news.

    Only the first 20 count, as for control charts: limits that learned from every window would follow a slow drift and never see it.
    """
    told = []
    for one in found:
        first = past.get(one.column, {}).get(one.method, [])[:PHASE_ONE]
        usual = float(np.percentile(first, 99)) if len(first) == PHASE_ONE else None
        told.append(msgspec.structs.replace(one, usual=usual))
    return told


def adjusted(found: Sequence[Drift], *, alpha: float) -> list[Drift]:
    """Return the findings of a window with their p-values adjusted for each other, and with their states."""
    p_values = benjamini_hochberg([one.p_value for one in found])
    return [
        msgspec.structs.replace(one, adjusted=p, state=_drift_state(one, p, alpha))
        for one, p in zip(found, p_values, strict=True)
    ]


def _drift_state(found: Drift, adjusted: float | None, alpha: float) -> State:
    if adjusted is None:
        return "unknown"
    if adjusted >= alpha or found.effect < found.warn or (found.usual is not None and found.effect <= found.usual):
        return "ok"
    return "alarm" if found.effect >= found.alarm else "warn"


def _drift_causes(
    kind: Literal["drift", "predictions"], found: Sequence[Drift], highest: Literal["warn", "alarm"]
) -> list[Cause]:
    moved = sorted(
        (one for one in found if one.state in ("warn", "alarm")), key=lambda one: one.effect / one.alarm, reverse=True
    )
    if not moved:
        return []
    names = list(dict.fromkeys(one.column for one in moved))
    first = moved[0]
    what = "what the model answers" if kind == "predictions" else _listed(names)
    because = (
        f"{what} moved (most: {first.column}, {first.method} {first.effect:.2f}, {first.alarm:.2f} alarms; chance below"
        f" {max(first.adjusted or 0.0, 1e-6):.2g})"
    )
    is_alarm = highest == "alarm" and any(one.state == "alarm" for one in moved)
    return [Cause(kind=kind, state="alarm" if is_alarm else "warn", because=because, columns=names)]


def _quality_causes(quality: Quality | None, past: Past) -> list[Cause]:
    if quality is None:
        return []
    named = list(dict.fromkeys(problem.column for problem in quality.problems if problem.broken))
    if quality.broken:
        return [Cause(kind="quality", state="alarm", because=quality.because, columns=named)]
    because = read_shares(past.shares, quality.invalid_rows, quality.rows)
    return [] if because is None else [Cause(kind="quality", state="warn", because=because, columns=named)]


def _reading(decay: Decay | None, history: Sequence[float], past: Past) -> Reading:
    """Return what the control charts say of the window's effect."""
    if decay is None or decay.effect is None:
        return Reading()
    starts = past.starts if len(past.starts) == len(history) else None
    return read_charts(history, decay.effect, starts=starts, start=past.start)


def _performance_causes(decay: Decay | None, reading: Reading, performance: Performance | None) -> list[Cause]:
    if decay is None or decay.effect is None or performance is None:
        return []
    if decay.decayed:
        return [Cause(kind="performance", state="alarm", because=decay.because)]
    if not reading.signals or decay.effect <= 0:
        return []
    return [Cause(kind="performance", state="warn", because=f"{performance.metric} {reading.signals[0]}")]


def _state(causes: Sequence[Cause], *, is_looked_at: bool) -> State:
    states = {cause.state for cause in causes}
    if "alarm" in states:
        return "alarm"
    if "warn" in states:
        return "warn"
    return "ok" if is_looked_at else "unknown"


def _summary(
    state: State,
    causes: Sequence[Cause],
    performance: Performance | None,
    decay: Decay | None,
    columns: Sequence[Drift],
    *,
    labels_come: bool,
) -> str:
    if causes:
        ranked = sorted(causes, key=lambda cause: cause.state != "alarm")
        words = ranked[0].because
        others = [cause for cause in ranked[1:] if cause.kind in ("drift", "quality")]
        if others and ranked[0].kind != "drift":
            words += f"; meanwhile {others[0].because}"
        return words
    if state == "unknown":
        return f"nothing can be said yet: {decay.because if decay is not None else 'too few rows'}"
    if performance is not None and performance.state == "measured" and decay is not None:
        return decay.because
    looked = len({one.column for one in columns if one.state != "unknown"})
    reason = "" if labels_come else "; no labels come, so performance is not known"
    return f"{looked} inputs and the predictions are as at training{reason}"


def _listed(names: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - 3} more" if len(distinct) > 3 else ""
    return ", ".join(distinct[:3]) + more
