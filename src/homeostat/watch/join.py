"""What was answered beside what turned out true, as it was known at one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from homeostat.core.columns import Task

ANSWERING = ("champion", "canary")
_IS_ANSWERED = pl.col("route").is_in(ANSWERING) & (pl.col("status") == "ok")


class JoinReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the labels: `labels` known at that moment = `matched` + `superseded` + `unknown` + `unusable`.

    `superseded`: a newer label of the same row is used. `unknown`: no answered row has that request id or key. `unusable`: no class of
    the task, no finite number. `repeated`: answers logged twice, of which the first is used.
    """

    rows: int = 0
    repeated: int = 0
    labels: int = 0
    matched: int = 0
    superseded: int = 0
    unknown: int = 0
    unusable: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Joined:
    """`frame`: the answered rows in order of `time`, with `label` (null: not known yet), `label_received`, `label_event_time`.

    `groups`: what labels told of the row's groups, a JSON text; a newer one takes the place of an older one.
    """

    frame: pl.DataFrame
    report: JoinReport


def join(
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    task: Task,
    classes: Sequence[Any] = (),
    as_of: datetime | None = None,
) -> Joined:
    """Return the answered rows (route champion or canary, status ok) and the newest label of each that was received by `as_of`.

    Both frames are those of the RecordLog. A label names (request_id, row), or a key: then it belongs to that key's newest row no
    later than itself, in event time where both have one, else in order of receipt; a label that came first, to the first row after it.
    `time` of a row is its event time where it has one, else when it was received.
    """
    known = predictions if as_of is None else predictions.filter(pl.col("received") <= as_of)
    logged = known.filter(_IS_ANSWERED)
    rows = (
        answered(known)
        .with_columns(time=pl.coalesce("event_time", "received"))
        .sort("time", maintain_order=True)
        .with_row_index("position")
    )
    told = labels if as_of is None else labels.filter(pl.col("received") <= as_of)
    usable, unusable = _usable(told.filter(pl.col("value").is_not_null() | pl.col("groups").is_null()), task, classes)
    found = _placed(usable, rows)
    newest = found.unique("position", keep="last", maintain_order=True)
    grouped = told.with_row_index("order").with_columns(value=pl.col("groups")).filter(pl.col("groups").is_not_null())
    groups = _placed(grouped, rows).unique("position", keep="last", maintain_order=True)
    frame = rows.join(
        newest.select(
            "position", label="value", label_received="received", label_event_time="event_time", label_id="label_id"
        ),
        on="position",
        how="left",
        maintain_order="left",
    )
    frame = frame.join(
        groups.select("position", groups="value"), on="position", how="left", maintain_order="left"
    ).drop("position")
    report = JoinReport(
        rows=len(rows),
        repeated=len(logged) - len(rows),
        labels=len(usable) + unusable,
        matched=len(newest),
        superseded=len(found) - len(newest),
        unknown=len(usable) - len(found),
        unusable=unusable,
    )
    return Joined(frame=frame, report=report)


def answered(predictions: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that clients were answered with, each once: route champion or canary, status ok, the first of one request and row."""
    return predictions.filter(_IS_ANSWERED).unique(["request_id", "row"], keep="first", maintain_order=True)


_FOUND = ("position", "value", "received", "event_time", "label_id", "order")


def _placed(labels: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Labels with the position of their row, in order of receipt; those of no row are left out."""
    return pl.concat([_by_request(labels, rows), _by_key(labels, rows)]).sort("received", "order", maintain_order=True)


def _by_request(labels: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Labels that name a request id, with the position of their row."""
    named = labels.filter(pl.col("request_id").is_not_null()).with_columns(pl.col("row").fill_null(0))
    return named.join(rows.select("request_id", "row", "position"), on=["request_id", "row"]).select(_FOUND)


def _by_key(labels: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Labels that name a key only, with the position of the row that they belong to."""
    keyed = labels.filter(pl.col("request_id").is_null() & pl.col("key").is_not_null())
    targets = rows.filter(pl.col("key").is_not_null())
    with_time = set(targets.filter(pl.col("event_time").is_not_null())["key"].to_list())
    in_event_time = pl.col("event_time").is_not_null() & pl.col("key").is_in(with_time)
    dated = _newest_before(
        keyed.filter(in_event_time), targets.filter(pl.col("event_time").is_not_null()), on="event_time"
    )
    return pl.concat([dated, _newest_before(keyed.filter(~in_event_time), targets, on="received")])


def _newest_before(labels: pl.DataFrame, targets: pl.DataFrame, *, on: str) -> pl.DataFrame:
    """Each label with the newest row of its key at or before it, or else the first one after."""
    left = labels.with_columns(when=pl.col(on)).sort("when")
    right = targets.select("key", "position", when=pl.col(on)).sort("when", "position")
    if left.is_empty() or right.is_empty():
        return labels.head(0).with_columns(position=pl.lit(0, dtype=pl.UInt32)).select(_FOUND)
    before = left.join_asof(right, on="when", by="key", strategy="backward", check_sortedness=False)
    after = left.join_asof(right, on="when", by="key", strategy="forward", check_sortedness=False)
    return (
        before.with_columns(position=pl.coalesce(before["position"], after["position"]))
        .filter(pl.col("position").is_not_null())
        .select(_FOUND)
    )


def _usable(labels: pl.DataFrame, task: Task, classes: Sequence[Any]) -> tuple[pl.DataFrame, int]:
    """Return the labels whose value the task can use, converted, and the number of the others."""
    converted = labels.with_row_index("order").with_columns(as_truth(labels["value"], task=task, classes=classes))
    usable = converted.filter(pl.col("value").is_not_null())
    return usable, len(converted) - len(usable)


def as_truth(values: pl.Series, *, task: Task, classes: Sequence[Any]) -> pl.Series:
    """Return the values as finite numbers (regression) or as members of `classes`; null where they are neither.

    >>> as_truth(pl.Series("value", ["1", "0", "x"]), task=Task.BINARY, classes=[0, 1]).to_list()
    [1, 0, None]
    """
    if task is Task.REGRESSION:
        numbers = values.cast(pl.Float64, strict=False) if values.dtype != pl.Null else values.cast(pl.Float64)
        return numbers.set(~numbers.is_finite().fill_null(value=False), None)
    wanted = {_spelling(label): label for label in classes}
    dtype = pl.Series(list(classes)).dtype if classes else pl.String()
    met = values.unique()
    told = [None if value is None else wanted.get(_spelling(value)) for value in met.to_list()]
    words = pl.DataFrame({"met": met, "told": pl.Series(told, dtype=dtype)})
    found = pl.DataFrame({"met": values}).join(words, on="met", how="left", nulls_equal=True, maintain_order="left")
    return found["told"].alias(values.name)


def _spelling(value: Any) -> str:
    """Return one spelling for 1, 1.0 and '1', and one for True and 'true'."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    return text.lower() if text in ("True", "False") else text
