"""Which windows are to be judged: those that are over, once, and again when enough more became known of them. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import polars as pl

from homeostat.core.records.watching import WindowVerdict
from homeostat.watch.settings import WatchSettings
from homeostat.watch.stored import verdict_of
from homeostat.watch.watched import Watched
from homeostat.watch.windows import Window, windows, windows_by_count

DEFAULT_WINDOW = timedelta(days=1)
MORE = 0.1  # a window is judged again when this share of its rows or labels is new
WINDOWS_WITHOUT_LABELS = 3

Span = tuple[datetime, datetime]


def complete(
    found: Watched,
    known: Mapping[Span, WindowVerdict],
    *,
    settings: WatchSettings,
    lateness: timedelta,
    since: datetime,
) -> list[Window]:
    """Return the windows that are over and whole in what was read, oldest first: those judged before, and new ones."""
    times = [*found.rows["at"].to_list(), *found.failed["at"].to_list()]
    if settings.by_count and settings.window_rows is not None:
        judged = sorted(Window(start, end) for start, end in known)
        new = windows_by_count(times, rows=settings.window_rows, start=judged[-1].end if judged else None)
        return [window for window in [*judged, *new] if window.start >= since]
    length = settings.window or DEFAULT_WINDOW
    cut = found.rows.filter(pl.col("received") < since + length)["at"].to_list()
    partial = set(windows(cut, length=length))
    over = [window for window in windows(times, length=length) if window.end + lateness <= found.watermark]
    return [window for window in over if window not in partial]


def within(frame: pl.DataFrame, window: Window) -> pl.DataFrame:
    return frame.filter((pl.col("at") >= window.start) & (pl.col("at") < window.end))


def has_more(rows: pl.DataFrame, previous: WindowVerdict, settings: WatchSettings) -> bool:
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


def expects_labels(
    found: Watched, known: Mapping[Span, WindowVerdict], *, now: datetime, label_delay: timedelta
) -> bool:
    """Return whether labels can be expected: one came, or it is too early to say; a label of no answered row is none."""
    if found.report.matched or len(known) < WINDOWS_WITHOUT_LABELS or found.rows.is_empty():
        return True
    first = found.rows["at"].min()
    return isinstance(first, datetime) and now - first < label_delay
