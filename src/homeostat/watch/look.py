"""Looking at a live model: the windows that are over are judged once, and again when more of their truth is known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import polars as pl

from homeostat.audit.log import record
from homeostat.core.columns import Task
from homeostat.core.errors import InvalidInput
from homeostat.core.ids import derived_id
from homeostat.core.ports.record_log import RecordLog
from homeostat.core.ports.store import Store, Transaction
from homeostat.core.records.watching import WindowVerdict
from homeostat.core.values import Json
from homeostat.serve.record import features_frame
from homeostat.track.predictions import Predictions
from homeostat.watch.acknowledging import acknowledged_since
from homeostat.watch.answered import answered
from homeostat.watch.baseline import kept_baseline
from homeostat.watch.detection import Heard, listen
from homeostat.watch.diagnosis import diagnosed
from homeostat.watch.following import follow_incidents
from homeostat.watch.groups import told_groups
from homeostat.watch.join import ANSWERING, JoinReport, as_truth, join
from homeostat.watch.observe import observe
from homeostat.watch.reference import Reference
from homeostat.watch.settings import WatchSettings
from homeostat.watch.verdict import Past, Verdict, effects_of, with_detections
from homeostat.watch.windows import Window, windows, windows_by_count

DEFAULT_WINDOW = timedelta(days=1)
LOOK_BACK = timedelta(days=90)
MORE = 0.1  # a window is judged again when this share of its rows or labels is new
WINDOWS_WITHOUT_LABELS = 3

_EVENTS = {"performance.decayed": "decayed", "drift.detected": "drifted", "quality.broken": "broken"}
_CAUSES = {
    "performance.decayed": ("performance",),
    "drift.detected": ("drift", "predictions"),
    "quality.broken": ("quality",),
}

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """The answers of the version that is watched. `rows` and `failed` have `at`, the time that puts them into windows."""

    rows: pl.DataFrame
    failed: pl.DataFrame
    watermark: datetime
    report: JoinReport


def look(
    *,
    store: Store,
    records: RecordLog,
    model: str,
    reference: Reference,
    settings: WatchSettings,
    now: datetime,
    task: Task | None = None,
    label_delay: timedelta = timedelta(0),
    lateness: timedelta = timedelta(0),
    look_back: timedelta = LOOK_BACK,
    labels_come: bool | None = None,
    written_at: datetime | None = None,
    actor: str = "watch",
) -> list[WindowVerdict]:
    """Judge the complete windows of the version that `reference` describes, and return the verdicts that are new.

    A window of time is complete when the watermark has passed its end by `lateness`: the time of the newest row, moved on by what has
    passed since it was received, so that a replay of the past is watched as the past was. A window of `window_rows` goes by order of
    receipt and is complete when a later row is there. A window judged before is judged again, as a higher revision, when its labels
    reach `settings.maturity`, or when a tenth of its rows or labels is new or corrected; nothing is overwritten.

    Each verdict is written with its events in one transaction: `window.judged` always, and `performance.decayed`, `drift.detected`,
    `quality.broken` when so and not so before. A second call with the same record writes nothing. What was received before
    `now` - `look_back` is left as it is. `now` may be in the time of the rows, where the past is replayed; the record holds what is known.
    `written_at`: the time that verdicts and events carry, where that is not `now`. `task` is the reference's, and only checked. `labels_come` None: labels are expected until three windows and `label_delay` went by without one.
    Cost: the record of `look_back` is read each time (about 0.5 s for 100,000 rows).
    """
    if task is not None and task is not reference.task:
        raise InvalidInput(
            f"version {reference.version} of {model} was made for {reference.task}, the project says {task}",
            hint="train and promote a version for the new task",
        )
    since = now - look_back
    found = _find(records, model, reference, settings=settings, since=since, now=now)
    with store.read() as tx:
        known: dict[Span, WindowVerdict] = {(v.window_start, v.window_end): v for v in tx.watch.verdicts(model)}
        acknowledged = acknowledged_since(tx, model)
    if labels_come is None:
        labels_come = _labels_come(found, known, now=now, label_delay=label_delay)
    written: list[WindowVerdict] = []
    for window in _complete(found, known, settings=settings, lateness=lateness, since=since):
        previous = known.get((window.start, window.end))
        if previous is not None and previous.body["version"] != reference.version:
            continue
        rows, errors = _within(found.rows, window), _within(found.failed, window).height
        if previous is not None and not _has_more(rows, previous, settings):
            continue
        earlier = _earlier(known.values(), before=window.start, version=reference.version, since=acknowledged)
        history, past = _past(earlier, window, by_count=_by_count(settings))
        verdict, heard = _judge(
            rows,
            errors,
            reference=reference,
            settings=settings,
            labels_come=labels_come,
            history=history,
            past=past,
            state=None if _was_mature(previous) else _kept_state(store, model),
        )
        if _was_mature(previous):
            heard = None
        verdict = _diagnosed(
            verdict, rows, earlier, previous, store=store, model=model, reference=reference, settings=settings
        )
        stored = _as_record(
            model, window, verdict, previous=previous, rows=rows, reference=reference, now=written_at or now
        )
        with store.write() as tx:
            if not _write(tx, stored, verdict, previous=previous, actor=actor):
                continue
            if heard is not None:
                tx.watch.set_state(_detectors(model), heard.state)
            follow_incidents(tx, stored, importance=reference.importance, settings=settings.incidents, actor=actor)
        written.append(stored)
        known[window.start, window.end] = stored
    return written


def verdict_of(stored: WindowVerdict) -> Verdict:
    """Return the verdict that a stored window holds."""
    return msgspec.convert(stored.body["verdict"], Verdict)


def _find(
    records: RecordLog, model: str, reference: Reference, *, settings: WatchSettings, since: datetime, now: datetime
) -> _Found:
    predictions = records.read("predictions", model, since=since)
    labels = records.read("labels", model, since=since)
    answering = predictions.filter(pl.col("route").is_in(ANSWERING))
    at = pl.col("received") if _by_count(settings) else pl.coalesce("event_time", "received")
    answering = answering.with_columns(at=at)
    # Rows of other versions are joined too: a key's label belongs to its newest row, whoever answered it.
    joined = join(answering, labels, task=reference.task, classes=reference.classes)
    is_ours = pl.col("version") == reference.version
    return _Found(
        rows=joined.frame.filter(is_ours),
        failed=answering.filter(is_ours & (pl.col("status") != "ok")),
        watermark=_watermark(answering, now),
        report=joined.report,
    )


def _watermark(answering: pl.DataFrame, now: datetime) -> datetime:
    """Return the time up to which rows are there: that of the newest, moved on by what has passed since it came, at most `now`."""
    newest = answering.sort("at", "received").tail(1)
    if newest.is_empty() or newest["received"].item() > now:
        return now
    moved_on: datetime = newest["at"].item() + (now - newest["received"].item())
    return min(now, moved_on)


def _by_count(settings: WatchSettings) -> bool:
    return settings.window is None and settings.window_rows is not None


def _labels_come(found: _Found, known: Mapping[Span, WindowVerdict], *, now: datetime, label_delay: timedelta) -> bool:
    if found.report.labels or len(known) < WINDOWS_WITHOUT_LABELS or found.rows.is_empty():
        return True
    first = found.rows["at"].min()
    return isinstance(first, datetime) and now - first < label_delay


def _complete(
    found: _Found, known: Mapping[Span, WindowVerdict], *, settings: WatchSettings, lateness: timedelta, since: datetime
) -> list[Window]:
    """Return the windows that are over and whole in what was read, oldest first: those judged before, and new ones."""
    times = [*found.rows["at"].to_list(), *found.failed["at"].to_list()]
    if settings.window is None and settings.window_rows is not None:
        judged = sorted(Window(start, end) for start, end in known)
        new = windows_by_count(times, rows=settings.window_rows, start=judged[-1].end if judged else None)
        return [window for window in [*judged, *new] if window.start >= since]
    length = settings.window or DEFAULT_WINDOW
    cut = found.rows.filter(pl.col("received") < since + length)["at"].to_list()
    partial = set(windows(cut, length=length))
    over = [window for window in windows(times, length=length) if window.end + lateness <= found.watermark]
    return [window for window in over if window not in partial]


def _within(frame: pl.DataFrame, window: Window) -> pl.DataFrame:
    return frame.filter((pl.col("at") >= window.start) & (pl.col("at") < window.end))


def _has_more(rows: pl.DataFrame, previous: WindowVerdict, settings: WatchSettings) -> bool:
    """Return whether enough became known of a window since it was judged."""
    before = previous.body
    if not rows.height:
        return False
    labelled = int(rows["label"].is_not_null().sum())
    is_mature = labelled >= max(settings.min_labels, settings.maturity * rows.height)
    until = before["labels_until"]
    is_later = pl.lit(value=True) if until is None else pl.col("label_received") > datetime.fromisoformat(until)
    corrected = rows.filter(pl.col("label").is_not_null() & is_later).height
    grouped = rows["groups"].count() - before.get("grouped", 0)
    new = max(corrected, labelled - before["labelled"], rows.height - before["rows"], grouped)
    return (is_mature and not verdict_of(previous).is_mature) or new >= MORE * rows.height


def _earlier(
    known: Iterable[WindowVerdict], *, before: datetime, version: int, since: datetime | None
) -> list[WindowVerdict]:
    """Return the windows of the version that ended by then, oldest first; those before a change that a person acknowledged are left out."""
    found = [
        one
        for one in known
        if one.window_end <= before and one.body["version"] == version and (since is None or one.window_start >= since)
    ]
    return sorted(found, key=lambda one: one.window_start)


def _past(earlier: Iterable[WindowVerdict], window: Window, *, by_count: bool) -> tuple[list[float], Past]:
    """Return the effects of mature windows, and what else charts and the measures of drift want to know."""
    history: list[float] = []
    starts: list[datetime] = []
    shares: list[tuple[int, int]] = []
    drifts: list[Verdict] = []
    for one in earlier:
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


def _was_mature(previous: WindowVerdict | None) -> bool:
    """Whether the window was mature before: then the detectors have heard it."""
    return previous is not None and verdict_of(previous).is_mature


def _detectors(model: str) -> str:
    return f"detectors:{model}"


def _kept_state(store: Store, model: str) -> Json | None:
    with store.read() as tx:
        return tx.watch.get_state(_detectors(model))


def _judge(
    rows: pl.DataFrame,
    errors: int,
    *,
    reference: Reference,
    settings: WatchSettings,
    labels_come: bool,
    history: list[float],
    past: Past,
    state: Json | None,
) -> tuple[Verdict, Heard | None]:
    """Return the verdict, and what the detectors made of the labelled rows where they are enough."""
    predictions, odd = _answers(rows, reference)
    labelled = rows["label"].is_not_null().to_numpy()
    y = np.asarray(rows["label"].to_list()) if labelled.any() else None
    verdict = observe(
        features_frame(rows, reference.signature),
        reference=reference,
        predictions=predictions,
        y=y,
        labelled=labelled,
        settings=settings,
        errors=errors,
        labels_come=labels_come,
        history=history,
        past=past,
        notes=odd,
    )
    if y is None or not verdict.is_mature or not settings.detectors:
        return verdict, None
    heard = listen(
        state,
        version=reference.version,
        names=settings.detectors,
        y=y[labelled],
        predictions=predictions.take(labelled),
        metric=reference.metric,
        task=reference.task,
    )
    return with_detections(verdict, heard.detections), heard


def _diagnosed(
    verdict: Verdict,
    rows: pl.DataFrame,
    earlier: Sequence[WindowVerdict],
    previous: WindowVerdict | None,
    *,
    store: Store,
    model: str,
    reference: Reference,
    settings: WatchSettings,
) -> Verdict:
    with store.read() as tx:
        baseline = kept_baseline(tx, model, reference.version)
    kinds = {name: column.kind for name, column in reference.groups.columns.items()}
    return diagnosed(
        verdict,
        features_frame(rows, reference.signature).hstack(told_groups(rows["groups"], kinds)),
        _answers(rows, reference)[0],
        truth=rows["label"],
        reference=reference,
        settings=settings,
        baseline=baseline,
        earlier=[verdict_of(one) for one in earlier],
        before=None if previous is None else verdict_of(previous),
    )


def _answers(rows: pl.DataFrame, reference: Reference) -> tuple[Predictions, list[str]]:
    """Return the recorded answers as the task means them, and what was odd about them."""
    frame = rows.select(as_truth(rows["prediction"], task=reference.task, classes=reference.classes), "scores")
    if reference.task is Task.REGRESSION:
        return Predictions(labels=frame["prediction"].cast(pl.Float64).fill_null(float("nan")).to_numpy()), []
    odd = []
    wanted = len(reference.classes)
    if not (frame["scores"].list.len() == wanted).fill_null(value=False).all() or frame["scores"].is_null().any():
        frame = frame.drop("scores")
        odd = [f"some answers have no {wanted} probabilities, so none were used"] if rows.height else []
    return Predictions.from_frame(frame, classes=reference.classes), odd


def _as_record(
    model: str,
    window: Window,
    verdict: Verdict,
    *,
    previous: WindowVerdict | None,
    rows: pl.DataFrame,
    reference: Reference,
    now: datetime,
) -> WindowVerdict:
    kept = answered(_answers(rows, reference)[0], rows["label"], task=reference.task)
    until = rows["label_received"].max()
    body: Json = {
        "version": reference.version,
        "rows": rows.height,
        "labelled": int(rows["label"].is_not_null().sum()),
        "grouped": rows["groups"].count(),
        "labels_until": until.isoformat() if isinstance(until, datetime) else None,
        "answers": msgspec.json.decode(msgspec.json.encode(kept)),
        "verdict": msgspec.to_builtins(verdict),
    }
    return WindowVerdict(
        model=model,
        window_start=window.start,
        window_end=window.end,
        revision=0 if previous is None else previous.revision + 1,
        computed=now,
        state=verdict.state,
        body=body,
    )


def _write(
    tx: Transaction, stored: WindowVerdict, verdict: Verdict, *, previous: WindowVerdict | None, actor: str
) -> bool:
    """Write a verdict and its events; return False where another process has written this revision already."""
    if tx.audit.by_key(_key(stored, "window.judged")) is not None:
        return False
    tx.watch.add(stored)
    before = {} if previous is None else previous.body["verdict"]
    kinds = [kind for kind, flag in _EVENTS.items() if getattr(verdict, flag) and not before.get(flag)]
    for kind in ["window.judged", *kinds]:
        record(
            tx,
            kind,
            subject=f"model:{stored.model}",
            actor=actor,
            time=stored.computed,
            payload=_payload(kind, stored, verdict),
            key=_key(stored, kind),
        )
    return True


def _key(stored: WindowVerdict, kind: str) -> str:
    span = (stored.window_start.isoformat(), stored.window_end.isoformat())
    return derived_id("watch", stored.model, *span, stored.revision, kind)


def _payload(kind: str, stored: WindowVerdict, verdict: Verdict) -> dict[str, Any]:
    """Return what the audit log tells of a window: where, what (the event's own cause), and the few numbers that matter."""
    reasons = [cause.because for cause in verdict.causes if cause.kind in _CAUSES.get(kind, ())]
    performance, decay, quality = verdict.performance, verdict.decay, verdict.quality
    return {
        "window": {"start": stored.window_start.isoformat(), "end": stored.window_end.isoformat()},
        "revision": stored.revision,
        "version": stored.body["version"],
        "state": verdict.state,
        "summary": "; ".join(reasons) or verdict.summary,
        "labels_come": verdict.labels_come,
        "rows": stored.body["rows"],
        "labelled": stored.body["labelled"],
        "metric": None if performance is None else performance.metric,
        "value": None if performance is None else performance.value,
        "effect": None if decay is None else decay.effect,
        "invalid_share": None if quality is None else quality.invalid_share,
        "causes": [{"kind": cause.kind, "state": cause.state, "columns": cause.columns} for cause in verdict.causes],
    }
