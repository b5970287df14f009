"""The first look at a user's data, and the homeostat.yaml that follows from it."""

import os
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.app.explained import explained
from homeostat.app.project import FILE, parse
from homeostat.core.columns import Task
from homeostat.core.duration import Duration
from homeostat.core.errors import Conflict, InvalidInput
from homeostat.data.settings import DataSettings
from homeostat.retrain.project import Project
from homeostat.retrain.settings import RetrainSettings, Triggers
from homeostat.watch.settings import WatchSettings

if TYPE_CHECKING:
    import polars as pl

    from homeostat.data.look import Findings

_WINDOWS = tuple(
    timedelta(hours=hours) for hours in (0.25, 1, 6, 24, 7 * 24, 14 * 24, 28 * 24, 91 * 24, 182 * 24, 364 * 24)
)
_WINDOWS_IN_HISTORY = 20
_ROWS_IN_WINDOW = 120  # above watch.min_labels and watch.drift.min_rows
_LEAST_WINDOW_ROWS = 200
_LEAST_NEW_ROWS = 100
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A project that was found in data: `text` is its homeostat.yaml, `lines` are (heading, words) for the user."""

    project: Project
    text: str
    rows: int
    columns: int
    features: dict[str, str]
    notes: list[str]
    lines: list[tuple[str, str]]


def draft(
    source: str,
    *,
    target: str,
    root: Path,
    time: str | None = None,
    query: str | None = None,
    model: str | None = None,
) -> Draft:
    """Read the data, infer what they are, and return the project that fits them. Writes nothing.

    Relative paths start at `root`. Raises InvalidInput or NotEnoughData, each with a remedy, where no model can be made of the data.
    """
    from homeostat.data.kinds import infer_kinds
    from homeostat.data.look import look
    from homeostat.data.sources import read

    frame = read(source, query=query, root=root)
    inferred = infer_kinds(frame)
    if time in inferred and inferred[time].is_numeric:
        raise InvalidInput(
            f"column '{time}' is {inferred[time]}, not dates or times",
            hint="give another column with --time, or write the times as 2024-01-31 or 2024-01-31T15:00:00Z",
        )
    found = look(frame, target=target, time=time)
    project = Project(
        model=_checked(model) if model else model_name(source),
        task=found.task,
        data=DataSettings(
            source=stored_source(source, root),
            target=target,
            query=query,
            time=found.time,
            key=list(found.key),
            exclude=list(found.exclude),
            columns={name: kind for name, kind in found.kinds.items() if kind is not inferred[name]},
        ),
        watch=_watch(frame, found.time),
        # renewing now and then beats waiting for an alarm: an easy season hides a stale model (docs/decisions/0004)
        retrain=RetrainSettings(triggers=Triggers(new_rows=max(_LEAST_NEW_ROWS, frame.height // 10))),
    )
    features = {name: str(found.kinds[name]) for name in project.data.roles.features(frame.columns)}
    if not features:
        raise InvalidInput(
            f"no column is left to learn '{target}' from", hint="; ".join(found.notes[:5]) or "give data with features"
        )
    text = explained(project)
    assert parse(text) == project
    return Draft(
        project=project,
        text=text,
        rows=frame.height,
        columns=frame.width,
        features=features,
        notes=list(found.notes),
        lines=list(_lines(frame, project, found, features)),
    )


def write(made: Draft, root: Path, *, force: bool) -> Path:
    """Write homeostat.yaml, whole or not at all; raise Conflict where there is one and not `force`."""
    path = root / FILE
    if path.exists() and not force:
        raise Conflict(f"{path} exists already", hint="--force writes it anew; what you changed in it is lost then")
    unfinished = path.with_name(f".{FILE}.{os.getpid()}")
    unfinished.write_text(made.text, encoding="utf-8")
    unfinished.replace(path)
    return path


def refuse_existing(root: Path, *, force: bool) -> None:
    """Raise Conflict where `write` would, before any work is done."""
    if (root / FILE).exists() and not force:
        raise Conflict(
            f"{root / FILE} exists already", hint="--force writes it anew; what you changed in it is lost then"
        )


def model_name(source: str) -> str:
    """Return a name for the model, from the source's.

    >>> model_name("data/bike_sharing_hour.csv.gz"), model_name("2024-*.parquet"), model_name("sqlite:///shop.db")
    ('bike_sharing_hour', 'model', 'shop')
    """
    last = source.rstrip("/").rpartition("/")[2].partition("?")[0].partition(".")[0]
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", last).strip("_-0123456789")[:100]
    return name or "model"


def stored_source(source: str, root: Path) -> str:
    """Return the source as the project keeps it: relative to its folder when inside, absolute otherwise; addresses as they are."""
    if "://" in source:
        return source
    path = Path(source).expanduser()
    whole = Path(os.path.normpath(root / path))
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)


def window_of(span: timedelta, rows: int) -> Duration:
    """Return the watch window for a history: about a twentieth of it, with some hundred rows at least, in a length that people use.

    >>> str(window_of(timedelta(days=365), 300_000)), str(window_of(timedelta(days=365), 400))
    ('14d', '182d')
    """
    wanted = span / _WINDOWS_IN_HISTORY
    enough = span * (_ROWS_IN_WINDOW / max(rows, 1))
    fitting = [length for length in _WINDOWS if length >= enough] or [_WINDOWS[-1]]
    near = min(fitting, key=lambda length: abs(length / wanted - 1) if length >= wanted else abs(wanted / length - 1))
    return Duration(seconds=near.total_seconds())


def _checked(model: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,99}", model):
        raise InvalidInput(
            f"'{model}' cannot be a model's name", hint="letters, digits, - and _, a letter first: --model sales"
        )
    return model


def _watch(frame: "pl.DataFrame", time: str | None) -> WatchSettings:
    if time is not None:
        first, last = _span(frame, time)
        if last > first:
            return WatchSettings(window=window_of(last - first, frame.height))
    rows = max(_LEAST_WINDOW_ROWS, frame.height // _WINDOWS_IN_HISTORY)
    digits = 10 ** (len(str(rows)) - 1)
    return WatchSettings(window_rows=round(rows / digits) * digits)


def _span(frame: "pl.DataFrame", time: str) -> tuple[datetime, datetime]:
    from homeostat.core.columns import Kind
    from homeostat.data.kinds import conform

    moments = conform(frame.select(time), {time: Kind.DATETIME})[time].drop_nulls()
    first, last = moments.min(), moments.max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        raise InvalidInput(f"time column '{time}' has no values", hint="give another one with --time")
    return first, last


def _lines(frame: "pl.DataFrame", project: Project, found: "Findings", features: dict[str, str]) -> Any:
    data, watch = project.data, project.watch
    yield "read", f"{data.source}: {frame.height:,} rows, {frame.width:,} columns"
    yield "predict", f"{data.target} ({project.task}: {_target_words(frame, data.target, project.task)})"
    if data.time is not None:
        first, last = _span(frame, data.time)
        yield "time", f"{data.time}, from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"
    else:
        yield "time", "no column says when a row happened; where one does, give it with --time"
    if data.key:
        yield "key", f"{', '.join(data.key)} names a row; it is not learned from"
    shown = [f"{name} ({kind})" for name, kind in list(features.items())[:_SHOWN]]
    more = f" and {len(features) - _SHOWN:,} more" if len(features) > _SHOWN else ""
    yield "learn from", f"{len(features):,} column{'s' if len(features) > 1 else ''}: {', '.join(shown)}{more}"
    length = f"{watch.window} of time" if watch.window is not None else f"{watch.window_rows:,} rows"
    yield "watch in", f"windows of {length}"
    for note in found.notes[: 2 * _SHOWN]:
        yield "note", note
    if len(found.notes) > 2 * _SHOWN:
        yield "note", f"and {len(found.notes) - 2 * _SHOWN:,} more notes of the same sort"


def _target_words(frame: "pl.DataFrame", target: str, task: Task) -> str:
    values = frame[target].drop_nulls()
    if task is Task.REGRESSION:
        return f"numbers from {_number(values.min())} to {_number(values.max())}"
    counts = values.value_counts(sort=True)
    shares = [f"{value}: {count / len(values):.0%}" for value, count in counts.rows()[:6]]
    return ", ".join(shares) + (", ..." if counts.height > 6 else "")


def _number(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, int | float) else str(value)
