"""Runs, their params and tags in SQL."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from homeostat.core.errors import Conflict, NotFound
from homeostat.core.queries import RunQuery
from homeostat.core.records.tracking import InputDataset, Metric, Point, Run, RunDetail, RunStatus
from homeostat.storage.sql import metrics as metric_rows
from homeostat.storage.sql import run_inputs
from homeostat.storage.sql.experiments import SqlExperiments, number_of
from homeostat.storage.sql.prepared import Prepared, PreparedIn, PreparedInsert, of_micros, to_micros
from homeostat.storage.sql.run_search import found_ids
from homeostat.storage.sql.schema.tracking import experiments, run_params, run_tags, runs
from homeostat.storage.sql.types import JsonText

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
_WITHOUT_FACTS = [column for column in runs.c if column.name not in {"facts", "deleted"}]
_as_json = JsonText()

_COLUMNS = [column.name for column in runs.c if column.name != "deleted"]
_CREATE = Prepared(lambda _: insert(runs).values({name: bindparam(name) for name in _COLUMNS}), *_COLUMNS)
_HEAD = Prepared(lambda _: select(*_WITHOUT_FACTS).where(runs.c.run_id == bindparam("run_id")), "run_id")
_HEADS = PreparedIn(lambda ids: select(*_WITHOUT_FACTS).where(runs.c.run_id.in_(ids)))
_PARAMS = PreparedIn(
    lambda ids: (
        select(run_params.c.run_id, run_params.c.key, run_params.c.value)
        .where(run_params.c.run_id.in_(ids))
        .order_by(run_params.c.run_id, run_params.c.key)
    )
)
_TAGS = PreparedIn(
    lambda ids: (
        select(run_tags.c.run_id, run_tags.c.key, run_tags.c.value)
        .where(run_tags.c.run_id.in_(ids))
        .order_by(run_tags.c.run_id, run_tags.c.key)
    )
)
_EXPERIMENT = Prepared(lambda _: select(runs.c.experiment_id).where(runs.c.run_id == bindparam("run_id")), "run_id")
_PAIR = ("run_id", "experiment_id", "key", "value")
_MOST_ID = 256
_ADD_PARAM = PreparedInsert(run_params, *_PAIR)
_STATUS = Prepared(
    lambda _: (
        update(runs)
        .where(runs.c.run_id == bindparam("which"))
        .values(status=bindparam("status"), ended=bindparam("ended"))
    ),
    "status",
    "ended",
    "which",
)


_SET_TAG = PreparedInsert(
    run_tags,
    *_PAIR,
    conflict=lambda statement: statement.on_conflict_do_update(
        index_elements=["run_id", "key"], set_={"value": statement.excluded.value}
    ),
)


class SqlRuns:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def experiment(self, name: str, *, now: datetime) -> str:
        known = self._connection.scalar(select(experiments.c.experiment_id).where(experiments.c.name == name))
        return SqlExperiments(self._connection).create(name, now=now) if known is None else str(known)

    def create(self, run: Run) -> None:
        if _HEAD.run(self._connection, run.run_id).fetchone() is not None:
            raise Conflict(f"run '{run.run_id}' exists already")
        experiment_id = number_of(run.experiment_id)
        values = {
            "run_id": run.run_id,
            "experiment_id": experiment_id,
            "name": run.name,
            "status": run.status.value,
            "started": to_micros(run.started),
            "ended": to_micros(run.ended),
            "user": run.user,
            "artifacts": run.artifacts,
            "lifecycle_stage": run.lifecycle_stage,
            "facts": "{}" if not run.facts else _as_json.process_bind_param(run.facts, self._connection.dialect),
        }
        _CREATE.run(self._connection, *(values[name] for name in _COLUMNS))
        self._add(_ADD_PARAM, run.run_id, experiment_id, run.params)
        self._add(_SET_TAG, run.run_id, experiment_id, run.tags)

    def update(self, run: Run) -> None:
        known = self.get(run.run_id)
        values = {
            "name": run.name,
            "status": run.status,
            "started": run.started,
            "ended": run.ended,
            "user": run.user,
            "artifacts": run.artifacts,
            "lifecycle_stage": run.lifecycle_stage,
            "facts": run.facts,
        }
        self._connection.execute(update(runs).where(runs.c.run_id == run.run_id).values(**values))
        for key in known.tags.keys() - run.tags.keys():
            self.delete_tag(run.run_id, key)
        self.set_tags(run.run_id, run.tags)

    def get(self, run_id: str) -> Run:
        run = self.find(run_id)
        if run is None:
            starts = select(runs.c.run_id).where(runs.c.run_id.startswith(run_id, autoescape=True)).limit(2)
            alike = list(self._connection.scalars(starts)) if 4 <= len(run_id) <= _MOST_ID else []
            if len(alike) == 1:
                return self.get(alike[0])
            raise NotFound(f"no run '{run_id}'", hint="`homeostat runs list` shows the latest")
        return run

    def find(self, run_id: str) -> Run | None:
        found = self._whole(select(runs.c.run_id).where(runs.c.run_id == run_id))
        return found[0] if found else None

    def recent(self, *, experiment: str | None = None, limit: int = 50) -> list[Run]:
        query = select(runs.c.run_id).order_by(runs.c.started.desc(), runs.c.run_id).limit(limit)
        if experiment is not None:
            query = query.join(experiments).where(experiments.c.name == experiment)
        return self._whole(query)

    def head(self, run_id: str) -> Run:
        row = _HEAD.run(self._connection, run_id).fetchone()
        if row is None:
            raise NotFound(f"Run with id={run_id} not found")
        return _run(row)

    def details(self, run_ids: Sequence[str]) -> list[RunDetail]:
        heads = {row[0]: row for row in _HEADS.rows(self._connection, run_ids)}
        for run_id in run_ids:
            if run_id not in heads:
                raise NotFound(f"Run with id={run_id} not found")
        params, tags = (_pairs(table.rows(self._connection, run_ids)) for table in (_PARAMS, _TAGS))
        latest = metric_rows.latest(self._connection, run_ids)
        datasets = run_inputs.datasets(self._connection, run_ids)
        models = run_inputs.models(self._connection, run_ids)
        none: list[Any] = []
        return [
            RunDetail(
                run=_run(heads[run_id], params=params.get(run_id), tags=tags.get(run_id)),
                latest=tuple(latest.get(run_id, none)),
                datasets=tuple(datasets.get(run_id, none)),
                model_inputs=tuple(model for model, _ in models.get((run_id, "input"), none)),
                model_outputs=tuple(models.get((run_id, "output"), none)),
            )
            for run_id in run_ids
        ]

    def search(self, query: RunQuery) -> list[str]:
        return found_ids(self._connection, query)

    def ids(self, experiment_id: str) -> list[str]:
        which = runs.c.experiment_id == number_of(experiment_id)
        return list(self._connection.scalars(select(runs.c.run_id).where(which)))

    def rename(self, run_id: str, name: str) -> None:
        self._connection.execute(update(runs).where(runs.c.run_id == run_id).values(name=name))

    def set_status(self, run_id: str, status: RunStatus, *, ended: datetime | None) -> None:
        _STATUS.run(self._connection, status.value, to_micros(ended), run_id)

    def set_stage(self, run_ids: Sequence[str], stage: str, *, now: datetime) -> None:
        deleted = now if stage == "deleted" else None
        for start in range(0, len(run_ids), 500):
            which = runs.c.run_id.in_(run_ids[start : start + 500])
            self._connection.execute(update(runs).where(which).values(lifecycle_stage=stage, deleted=deleted))

    def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        if not params:
            return
        known = {key: value for _, key, value in _PARAMS.rows(self._connection, [run_id])}
        changed = [key for key, value in params.items() if known.get(key, value) != value]
        if changed:
            first = changed[0]
            raise Conflict(
                f"Changing param values is not allowed. Param with key='{first}' was already logged with value='{known[first]}' "
                f"for run ID='{run_id}'. Attempted logging new value '{params[first]}'.",
                hint="params are immutable; start another run",
            )
        new = {key: value for key, value in params.items() if key not in known}
        self._add(_ADD_PARAM, run_id, self._experiment_of(run_id), new)

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        if tags:
            self._add(_SET_TAG, run_id, self._experiment_of(run_id), tags)

    def _add(self, statement: PreparedInsert, run_id: str, experiment_id: int, pairs: Mapping[str, str]) -> None:
        statement.run(self._connection, [(run_id, experiment_id, key, value) for key, value in pairs.items()])

    def _experiment_of(self, run_id: str) -> int:
        row = _EXPERIMENT.run(self._connection, run_id).fetchone()
        if row is None:
            raise NotFound(f"Run with id={run_id} not found")
        return int(row[0])

    def delete_tag(self, run_id: str, key: str) -> bool:
        which = (run_tags.c.run_id == run_id) & (run_tags.c.key == key)
        return self._connection.execute(delete(run_tags).where(which)).rowcount > 0

    def log_metrics(self, run_id: str, metrics: Iterable[Metric]) -> None:
        points = [Point(m.key, float(m.value), (m.time - _EPOCH) // timedelta(milliseconds=1), m.step) for m in metrics]
        if points:
            self.log_points(run_id, self.head(run_id).experiment_id, points)

    def log_points(self, run_id: str, experiment_id: str, points: Sequence[Point]) -> None:
        if points:
            metric_rows.log_points(self._connection, run_id, number_of(experiment_id), points)

    def history(self, run_id: str, key: str) -> list[Metric]:
        found = sorted(self.points(run_id, key), key=lambda point: (point.step, point.time_ms))
        return [Metric(key=key, value=point.value, time=_time(point.time_ms), step=point.step) for point in found]

    def points(
        self,
        run_id: str,
        key: str,
        *,
        offset: int = 0,
        limit: int | None = None,
        steps: tuple[int, int] | None = None,
    ) -> list[Point]:
        return metric_rows.history(self._connection, run_id, key, offset=offset, limit=limit, steps=steps)

    def count_points(self, run_id: str, key: str, *, steps: tuple[int, int] | None = None) -> int:
        return metric_rows.count(self._connection, run_id, key, steps=steps)

    def pieces(
        self, run_id: str, key: str, *, steps: tuple[int, int] | None = None, by_step: bool = False
    ) -> Iterator[list[Point]]:
        return metric_rows.pieces(self._connection, run_id, key, steps=steps, by_step=by_step)

    def log_inputs(self, run_id: str, experiment_id: str, datasets: Sequence[InputDataset]) -> None:
        run_inputs.log_datasets(self._connection, run_id, number_of(experiment_id), datasets)

    def log_models(self, run_id: str, *, inputs: Sequence[str] = (), outputs: Sequence[tuple[str, int]] = ()) -> None:
        run_inputs.log_models(self._connection, run_id, inputs=inputs, outputs=outputs)

    def input_datasets(self, experiment_ids: Sequence[str], *, limit: int) -> list[tuple[str, str, str, str | None]]:
        return run_inputs.used_in(self._connection, [number_of(one) for one in experiment_ids], limit=limit)

    def _whole(self, ids: Any) -> list[Run]:
        """Return the runs with params, tags, facts and metrics."""
        order = list(self._connection.scalars(ids))
        query = select(runs.c.run_id, runs.c.facts).where(runs.c.run_id.in_(order))
        facts = {row.run_id: row.facts for row in self._connection.execute(query)} if order else {}
        return [
            replace(found.run, facts=facts[found.run.run_id], metrics={p.key: p.value for p in found.latest})
            for found in self.details(order)
        ]


def _run(row: Any, *, params: dict[str, str] | None = None, tags: dict[str, str] | None = None) -> Run:
    run_id, experiment_id, name, status, started, ended, user, artifacts, stage = row
    return Run(
        run_id=run_id,
        experiment_id=str(experiment_id),
        name=name,
        status=RunStatus(status),
        started=of_micros(started),
        ended=of_micros(ended),
        user=user,
        artifacts=artifacts,
        lifecycle_stage=stage,
        params=params or {},
        tags=tags or {},
    )


def _pairs(rows: Iterable[Any]) -> dict[str, dict[str, str]]:
    out: dict[str, dict[str, str]] = {}
    for run_id, key, value in rows:
        out.setdefault(run_id, {})[key] = value
    return out


def _time(time_ms: int) -> datetime:
    """Return the time; clients may write any 64-bit number, and the last year there is stands for all later ones."""
    try:
        return _EPOCH + timedelta(milliseconds=time_ms)
    except OverflowError:
        return _LAST
