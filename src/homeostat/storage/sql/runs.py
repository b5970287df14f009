"""Experiments, runs, params and metric histories in SQL."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, Row, func, insert, select, update

from homeostat.core.errors import Conflict, NotFound
from homeostat.core.records import Metric, Run, RunStatus
from homeostat.storage.sql.rows import record_of, values_of
from homeostat.storage.sql.schema.tracking import experiments, run_metrics, run_params, runs

_ELSEWHERE = ("params", "metrics")


class SqlRuns:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def experiment(self, name: str, *, now: datetime) -> str:
        found = self._connection.scalar(select(experiments.c.experiment_id).where(experiments.c.name == name))
        if found is None:
            result = self._connection.execute(insert(experiments).values(name=name, created=now))
            found = result.inserted_primary_key[0] if result.inserted_primary_key else None
        return str(found)

    def create(self, run: Run) -> None:
        if self.find(run.run_id) is not None:
            raise Conflict(f"run '{run.run_id}' exists already")
        values = values_of(run, without=_ELSEWHERE)
        self._connection.execute(insert(runs).values(**values | {"experiment_id": int(run.experiment_id)}))
        self.log_params(run.run_id, run.params)

    def update(self, run: Run) -> None:
        self.get(run.run_id)
        values = values_of(run, without=(*_ELSEWHERE, "experiment_id"))
        self._connection.execute(update(runs).where(runs.c.run_id == run.run_id).values(**values))

    def get(self, run_id: str) -> Run:
        run = self.find(run_id)
        if run is None:
            starts = select(runs.c.run_id).where(runs.c.run_id.startswith(run_id, autoescape=True)).limit(2)
            alike = list(self._connection.scalars(starts)) if len(run_id) >= 4 else []
            if len(alike) == 1:
                return self.get(alike[0])
            raise NotFound(f"no run '{run_id}'", hint="`homeostat runs list` shows the latest")
        return run

    def find(self, run_id: str) -> Run | None:
        row = self._connection.execute(select(runs).where(runs.c.run_id == run_id)).first()
        return None if row is None else self._read(row)

    def recent(self, *, experiment: str | None = None, limit: int = 50) -> list[Run]:
        query = select(runs).order_by(runs.c.started.desc(), runs.c.run_id).limit(limit)
        if experiment is not None:
            query = query.join(experiments).where(experiments.c.name == experiment)
        return [self._read(row) for row in self._connection.execute(query)]

    def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        known = self._params(run_id)
        for key, value in params.items():
            if known.get(key, value) != value:
                raise Conflict(
                    f"param '{key}' of run '{run_id}' is '{known[key]}' and cannot become '{value}'",
                    hint="params are immutable; start another run",
                )
        new = [{"run_id": run_id, "key": key, "value": value} for key, value in params.items() if key not in known]
        if new:
            self._connection.execute(insert(run_params), new)

    def log_metrics(self, run_id: str, metrics: Iterable[Metric]) -> None:
        rows = [
            {
                "run_id": run_id,
                "key": metric.key,
                "value": metric.value if math.isfinite(metric.value) else None,
                "special": None if math.isfinite(metric.value) else repr(metric.value),
                "time": metric.time,
                "step": metric.step,
            }
            for metric in metrics
        ]
        if rows:
            self._connection.execute(insert(run_metrics), rows)

    def history(self, run_id: str, key: str) -> list[Metric]:
        query = (
            select(run_metrics)
            .where(run_metrics.c.run_id == run_id, run_metrics.c.key == key)
            .order_by(run_metrics.c.step, run_metrics.c.time, run_metrics.c.metric_id)
        )
        return [
            Metric(key=row.key, value=_value(row), time=row.time, step=row.step)
            for row in self._connection.execute(query)
        ]

    def _params(self, run_id: str) -> dict[str, str]:
        query = select(run_params.c.key, run_params.c.value).where(run_params.c.run_id == run_id)
        return {key: value for key, value in self._connection.execute(query)}  # noqa: C416 - rows are not pairs to mypy

    def _latest_metrics(self, run_id: str) -> dict[str, float]:
        ranked = (
            select(
                run_metrics,
                func.row_number()
                .over(
                    partition_by=run_metrics.c.key,
                    order_by=(run_metrics.c.step.desc(), run_metrics.c.time.desc(), run_metrics.c.metric_id.desc()),
                )
                .label("rank"),
            )
            .where(run_metrics.c.run_id == run_id)
            .subquery()
        )
        newest = self._connection.execute(select(ranked).where(ranked.c.rank == 1))
        return {row.key: _value(row) for row in newest}

    def _read(self, row: Row[tuple[object, ...]]) -> Run:
        return record_of(
            Run,
            row,
            experiment_id=str(row.experiment_id),
            status=RunStatus(row.status),
            params=self._params(row.run_id),
            metrics=self._latest_metrics(row.run_id),
        )


def _value(row: Row[tuple[object, ...]]) -> float:
    return float(row.special) if row.value is None else float(row.value)
