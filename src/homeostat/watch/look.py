"""Looking at a live model: the windows that are over are judged once, and again when more of their truth is known."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from homeostat.core.columns import Task
from homeostat.core.errors import InvalidInput
from homeostat.core.ports.record_log import RecordLog
from homeostat.core.ports.store import Store
from homeostat.core.records.watching import WindowVerdict
from homeostat.core.values import Json
from homeostat.serve.record import features_frame
from homeostat.watch.acknowledging import acknowledged_since
from homeostat.watch.baseline import kept_baseline
from homeostat.watch.detection import Heard, listen
from homeostat.watch.diagnosis import diagnosed
from homeostat.watch.due import LOOK_BACK, complete, expects_labels, has_more, unsettled_since, within
from homeostat.watch.following import follow_incidents
from homeostat.watch.groups import told_groups
from homeostat.watch.history import judged_before, past_of
from homeostat.watch.observe import observe
from homeostat.watch.reference import Reference
from homeostat.watch.settings import WatchSettings
from homeostat.watch.stored import as_record, verdict_of, write
from homeostat.watch.verdict import Past, Verdict, with_detections
from homeostat.watch.watched import answers, find, with_content


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
    Cost: about `settings.max_rows` rows are read at a time. Where the record of `look_back` has more, only windows that are new or whose labels
    may still come are looked at, and by the rows of requests that are drawn by their ids; the verdict says so.
    """
    if task is not None and task is not reference.task:
        raise InvalidInput(
            f"version {reference.version} of {model} was made for {reference.task}, the project says {task}",
            hint="train and promote a version for the new task",
        )
    with store.read() as tx:
        known = {(v.window_start, v.window_end): v for v in tx.watch.verdicts(model)}
        acknowledged = acknowledged_since(tx, model)
    unsettled = unsettled_since(known, settings=settings, lateness=lateness, label_delay=label_delay, now=now)
    found = find(records, model, reference, settings=settings, since=now - look_back, unsettled=unsettled, now=now)
    if labels_come is None:
        labels_come = expects_labels(found, known, now=now, label_delay=label_delay)
    written: list[WindowVerdict] = []
    for window in complete(found, known, settings=settings, lateness=lateness):
        previous = known.get((window.start, window.end))
        if previous is not None and previous.body["version"] != reference.version:
            continue
        rows, errors = within(found.rows, window), within(found.failed, window).height
        if previous is not None and not has_more(rows, previous, settings, share=found.share):
            continue
        rows = with_content(records, model, rows, share=found.share)
        judged = judged_before(known.values(), before=window.start, version=reference.version, since=acknowledged)
        history, past = past_of(judged, window, by_count=settings.by_count)
        verdict, heard = _judge(
            rows,
            errors,
            reference=reference,
            settings=settings,
            labels_come=labels_come,
            history=history,
            past=past,
            state=None if _was_mature(previous) else _kept_state(store, model),
            share=found.share,
        )
        if _was_mature(previous):
            heard = None
        verdict = _diagnosed(
            verdict, rows, judged, previous, store=store, model=model, reference=reference, settings=settings
        )
        stored = as_record(
            model,
            window,
            verdict,
            previous=previous,
            rows=rows,
            share=found.share,
            reference=reference,
            now=written_at or now,
        )
        with store.write() as tx:
            if not write(tx, stored, verdict, previous=previous, actor=actor):
                continue
            if heard is not None:
                tx.watch.set_state(_detectors(model), heard.state)
            follow_incidents(tx, stored, importance=reference.importance, settings=settings.incidents, actor=actor)
        written.append(stored)
        known[window.start, window.end] = stored
    return written


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
    share: float,
) -> tuple[Verdict, Heard | None]:
    """Return the verdict, and what the detectors made of the labelled rows where they are enough."""
    predictions, odd = answers(rows, reference)
    if share < 1:
        odd = [*odd, f"judged by {rows.height:,} rows, drawn from about {rows.height / share:,.0f}"]
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
    judged: Sequence[WindowVerdict],
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
        answers(rows, reference)[0],
        truth=rows["label"],
        reference=reference,
        settings=settings,
        baseline=baseline,
        earlier=[verdict_of(one) for one in judged],
        before=None if previous is None else verdict_of(previous),
    )
