"""Which windows are to be judged: those that are over, once, and again when enough more became known of them. Pure."""

import math
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import polars as pl

from homeostat.core.records.watching import WindowVerdict
from homeostat.watch.settings import WatchSettings
from homeostat.watch.stored import verdict_of
from homeostat.watch.watched import Watched
from homeostat.watch.windows import Window, windows_by_count, windows_of

DEFAULT_WINDOW = timedelta(days=1)
MORE = 0.1  # a window is judged again when this share of its rows or labels is new
WINDOWS_WITHOUT_LABELS = 3
MOST_AT_ONCE = 50
LOOK_BACK = timedelta(days=90)

Span = tuple[datetime, datetime]


def complete(
    found: Watched,
    known: Mapping[Span, WindowVerdict],
    *,
    settings: WatchSettings,
    lateness: timedelta,
) -> list[Window]:
    """Return the windows that are over and whole in what was read, oldest first: those judged before, and new ones.

    Windows by rows are longer than `window_rows` where more than 50 would be new at once: rows come faster than they can be judged.
    """
    since = found.since
    at = pl.concat([found.rows["at"], found.failed["at"]])
    if settings.by_count and settings.window_rows is not None:
        judged = sorted(Window(start, end) for start, end in known)
        begin = judged[-1].end if judged else None
        times = (at if begin is None else at.filter(at >= begin)).to_list()
        rows = max(1, math.ceil(settings.window_rows * found.share), len(times) // MOST_AT_ONCE)
        new = windows_by_count(times, rows=rows, start=begin)
        return [window for window in [*judged, *new] if window.start >= since]
    length = _length(settings)
    cut = found.rows.filter(pl.col("received") < since + length)["at"]
    partial = set(windows_of(cut, length=length))
    over = [window for window in windows_of(at, length=length) if window.end + lateness <= found.watermark]
    return [window for window in over if window not in partial]


def _length(settings: WatchSettings) -> timedelta:
    return settings.window or DEFAULT_WINDOW


def within(frame: pl.DataFrame, window: Window) -> pl.DataFrame:
    return frame.filter((pl.col("at") >= window.start) & (pl.col("at") < window.end))


def unsettled_since(
    known: Collection[Span], *, settings: WatchSettings, lateness: timedelta, label_delay: timedelta, now: datetime
) -> datetime:
    """Return when the oldest rows came of windows that are to be judged, or of which the labels come now, with a window to spare."""
    length = (
        max((end - start for start, end in known), default=DEFAULT_WINDOW) if settings.by_count else _length(settings)
    )
    newest = max((end for _, end in known), default=now - LOOK_BACK)
    return min(newest, now - lateness - label_delay - length) - 2 * length


def has_more(rows: pl.DataFrame, previous: WindowVerdict, settings: WatchSettings, *, share: float = 1.0) -> bool:
    """Return whether enough became known of a window since it was judged. `share`: of the requests whose rows these are."""
    before = previous.body
    if not rows.height:
        return False
    labelled = int(rows["label"].is_not_null().sum())
    is_mature = labelled >= max(settings.min_labels, settings.maturity * rows.height)
    until = before["labels_until"]
    is_later = pl.lit(value=True) if until is None else pl.col("label_received") > datetime.fromisoformat(until)
    corrected = rows.filter(pl.col("label").is_not_null() & is_later).height
    scale = share / before.get("share", 1.0)
    told = ((labelled, "labelled"), (rows.height, "rows"), (rows["groups"].count(), "grouped"))
    new = max(corrected, *(count - scale * before.get(name, 0) for count, name in told))
    by_chance = 0.0 if scale == 1.0 else 4 * math.sqrt(rows.height)  # another draw has other rows
    return (is_mature and not verdict_of(previous).is_mature) or new >= MORE * rows.height + by_chance


def expects_labels(
    found: Watched, known: Mapping[Span, WindowVerdict], *, now: datetime, label_delay: timedelta
) -> bool:
    """Return whether labels can be expected: one came, or it is too early to say; a label of no answered row is none."""
    if found.report.matched or len(known) < WINDOWS_WITHOUT_LABELS or found.rows.is_empty():
        return True
    first = found.rows["at"].min()
    return isinstance(first, datetime) and now - first < label_delay
