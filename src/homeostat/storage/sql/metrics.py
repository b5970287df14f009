"""Metric histories in SQL: a series per run and metric that holds the newest point, and all points below it."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select, update

from homeostat.core.records.tracking import Point
from homeostat.storage.sql.prepared import Prepared, PreparedIn, PreparedInsert
from homeostat.storage.sql.schema.tracking import metric_points, metric_series

_Newest = tuple[int, int, float, int]  # step, time, value, is_nan: as they are compared

_series = metric_series.c
_points = metric_points.c
_ONE_SERIES = Prepared(
    lambda _: select(_series.series_id, _series.step, _series.time, _series.value, _series.is_nan).where(
        _series.run_id == bindparam("run_id"), _series.key == bindparam("key")
    ),
    "run_id",
    "key",
)
_ALL_SERIES = Prepared(
    lambda _: select(_series.key, _series.series_id, _series.step, _series.time, _series.value, _series.is_nan).where(
        _series.run_id == bindparam("run_id")
    ),
    "run_id",
)
_LATEST = PreparedIn(
    lambda ids: (
        select(_series.run_id, _series.key, _series.value, _series.is_nan, _series.time, _series.step)
        .where(_series.run_id.in_(ids))
        .order_by(_series.run_id, _series.key)
    )
)
_LAST_ID = Prepared(lambda _: select(func.coalesce(func.max(_series.series_id), 0)))
_SERIES = ("series_id", "run_id", "experiment_id", "key", "step", "time", "value", "is_nan")
_ADD_SERIES = PreparedInsert(metric_series, *_SERIES)
_NEWER = Prepared(
    lambda _: (
        update(metric_series)
        .where(_series.series_id == bindparam("which"))
        .values(step=bindparam("step"), time=bindparam("time"), value=bindparam("value"), is_nan=bindparam("is_nan"))
    ),
    "step",
    "time",
    "value",
    "is_nan",
    "which",
)
_INT64 = 2**63
_EVERY_STEP = (-_INT64, _INT64 - 1)
_WITHIN = ("which", "first", "last")


def _within(*columns: Any) -> Select[Any]:
    return select(*columns).where(
        _points.series_id == bindparam("which"), _points.step.between(bindparam("first"), bindparam("last"))
    )


def _history(*before: Any) -> Select[Any]:
    found = _within(_points.time, _points.step, _points.value, _points.is_nan)
    return found.order_by(*before, _points.time, _points.step, _points.value, _points.is_nan)


_HISTORY = Prepared(lambda _: _history().limit(bindparam("most")).offset(bindparam("skip")), *_WITHIN, "most", "skip")
_ALL_BY_TIME = Prepared(lambda _: _history(), *_WITHIN)
_ALL_BY_STEP = Prepared(lambda _: _history(_points.step), *_WITHIN)
_COUNT = Prepared(lambda _: _within(func.count()), *_WITHIN)
_POINT = ("series_id", "time", "step", "value", "is_nan")
_ADD_POINT = PreparedInsert(
    metric_points,
    *_POINT,
    conflict=lambda statement: statement.on_conflict_do_nothing(index_elements=list(_POINT)),
)


def log_points(connection: Connection, run_id: str, experiment_id: int, points: Sequence[Point]) -> None:
    """Add points, make series for new keys, and keep the newest point of each; what is there already is left as it is."""
    by_key: dict[str, list[tuple[int, int, float, int]]] = {}
    for key, value, time_ms, step in points:
        row = (step, time_ms, 0.0, 1) if value != value else (step, time_ms, value, 0)  # noqa: PLR0124 - the fastest test for NaN
        known = by_key.get(key)
        if known is None:
            by_key[key] = [row]
        else:
            known.append(row)
    series = _known_series(connection, run_id, by_key)
    new, newer = [], []
    last = _LAST_ID.run(connection).fetchone()[0] if by_key.keys() - series.keys() else 0
    ids: dict[str, int] = {}
    for key, rows in by_key.items():
        newest = max(rows)
        known_series = series.get(key)
        if known_series is None:
            last += 1
            ids[key] = last
            new.append((last, run_id, experiment_id, key, *newest))
        else:
            ids[key] = known_series[0]
            if newest > known_series[1]:
                newer.append((*newest, known_series[0]))
    if new:
        _ADD_SERIES.run(connection, new)
    if newer:
        _NEWER.many(connection, newer)
    _ADD_POINT.run(
        connection,
        [
            (series_id, time, step, value, is_nan)
            for key, series_id in ids.items()
            for step, time, value, is_nan in by_key[key]
        ],
    )


def _known_series(connection: Connection, run_id: str, keys: Iterable[str]) -> dict[str, tuple[int, _Newest]]:
    wanted = list(keys)
    if len(wanted) == 1:
        row = _ONE_SERIES.run(connection, run_id, wanted[0]).fetchone()
        return {wanted[0]: (row[0], tuple(row[1:]))} if row else {}
    return {row[0]: (row[1], tuple(row[2:])) for row in _ALL_SERIES.run(connection, run_id).fetchall()}


def latest(connection: Connection, run_ids: Sequence[str]) -> dict[str, list[Point]]:
    """Return the newest point of every metric of the runs, by key."""
    out: dict[str, list[Point]] = {}
    for run_id, key, value, is_nan, time, step in _LATEST.rows(connection, run_ids):
        out.setdefault(run_id, []).append(Point(key, math.nan if is_nan else value, time, step))
    return out


def history(
    connection: Connection,
    run_id: str,
    key: str,
    *,
    offset: int = 0,
    limit: int | None = None,
    steps: tuple[int, int] | None = None,
) -> list[Point]:
    """Return points in order of time, step, value."""
    series = _series_id(connection, run_id, key)
    if series is None:
        return []
    most = _INT64 - 1 if limit is None else limit
    return _of(key, _HISTORY.run(connection, series, *(steps or _EVERY_STEP), most, offset).fetchall())


def count(connection: Connection, run_id: str, key: str, *, steps: tuple[int, int] | None = None) -> int:
    """Return how many points a metric has."""
    series = _series_id(connection, run_id, key)
    return 0 if series is None else int(_COUNT.run(connection, series, *(steps or _EVERY_STEP)).fetchone()[0])


def pieces(
    connection: Connection, run_id: str, key: str, *, steps: tuple[int, int] | None = None, by_step: bool = False
) -> Iterator[list[Point]]:
    """Yield points in order of time, step, value, or of step first, a few thousand at a time."""
    series = _series_id(connection, run_id, key)
    if series is not None:
        statement = _ALL_BY_STEP if by_step else _ALL_BY_TIME
        for rows in statement.pieces(connection, series, *(steps or _EVERY_STEP)):
            yield _of(key, rows)


def _series_id(connection: Connection, run_id: str, key: str) -> int | None:
    found = _ONE_SERIES.run(connection, run_id, key).fetchone()
    return None if found is None else found[0]


def _of(key: str, rows: Iterable[Any]) -> list[Point]:
    return [Point(key, math.nan if is_nan else value, time, step) for time, step, value, is_nan in rows]
