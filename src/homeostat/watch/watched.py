"""What a look reads of the record: the answers of the version that is watched, joined with what became known of them.

A record of years at thousands of requests a second fits no memory. So a look goes back only as far as windows may still change where
there is more than it may read, reads the rows of requests drawn by their ids where that is still too much, and what the rows are
(features, answers) only of the windows that are to be judged.
"""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from homeostat.core.columns import Task
from homeostat.core.ports.record_log import RecordLog
from homeostat.track.predictions import Predictions
from homeostat.watch.drawing import drawn, share_for
from homeostat.watch.join import ANSWERING, JoinReport, answered, as_truth, join
from homeostat.watch.reference import Reference
from homeostat.watch.settings import WatchSettings

_PLACE = ["request_id", "row"]
LIGHT = [*_PLACE, "key", "received", "event_time", "version", "route", "status"]
_CONTENT = ["features", "prediction", "scores"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watched:
    """The answers of the version that is watched. `rows` and `failed` have `at`, the time that puts them into windows.

    They are of a `share` of the requests, 1 for all, received since `since`; `with_content` adds what was asked and answered.
    """

    rows: pl.DataFrame
    failed: pl.DataFrame
    watermark: datetime
    report: JoinReport
    since: datetime
    share: float = 1.0


def find(
    records: RecordLog,
    model: str,
    reference: Reference,
    *,
    settings: WatchSettings,
    since: datetime,
    unsettled: datetime,
    now: datetime,
) -> Watched:
    """Return what was answered and labelled since then; where that is more than `settings.max_rows`, since `unsettled`, and of some requests."""
    if share_for(records, model, since=since, most=settings.max_rows) < 1:
        since = max(since, unsettled)
    read = drawn(records, model, since=since, most=settings.max_rows, columns=LIGHT)
    answering = read.predictions.filter(pl.col("route").is_in(ANSWERING))
    at = pl.col("received") if settings.by_count else pl.coalesce("event_time", "received")
    answering = answering.with_columns(at=at)
    # Rows of other versions are joined too: a key's label belongs to its newest row, whoever answered it.
    joined = join(answering, read.labels, task=reference.task, classes=reference.classes)
    is_ours = pl.col("version") == reference.version
    return Watched(
        rows=joined.frame.filter(is_ours),
        failed=answering.filter(is_ours & (pl.col("status") != "ok")),
        watermark=_watermark(answering, now),
        report=joined.report,
        since=since,
        share=read.share,
    )


def with_content(records: RecordLog, model: str, rows: pl.DataFrame, *, share: float) -> pl.DataFrame:
    """Return the rows with their features, predictions and scores; without those that went meanwhile, erased or not yet moved into the table.

    Memory: of what was received between the first and the last of them.
    """
    received = [moment for moment in (rows["received"].min(), rows["received"].max()) if isinstance(moment, datetime)]
    content = records.read(
        "predictions",
        model,
        since=min(received, default=None),
        until=max(received, default=None),
        columns=[*_PLACE, "route", "status", *_CONTENT],
        share=share,
    )
    content = answered(content).select(*_PLACE, *_CONTENT)
    return rows.join(content, on=_PLACE, how="inner", maintain_order="left")


def answers(rows: pl.DataFrame, reference: Reference) -> tuple[Predictions, list[str]]:
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


def _watermark(answering: pl.DataFrame, now: datetime) -> datetime:
    """Return the time up to which rows are there: that of the newest, moved on by what has passed since it came, at most `now`."""
    newest = answering.sort("at", "received").tail(1)
    if newest.is_empty() or newest["received"].item() > now:
        return now
    moved_on: datetime = newest["at"].item() + (now - newest["received"].item())
    return min(now, moved_on)
