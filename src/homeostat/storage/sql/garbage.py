"""What was deleted and can be freed, in SQL."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, exists, select

from homeostat.core.garbage import Deleted
from homeostat.storage.sql.experiments import number_of
from homeostat.storage.sql.model_rows import DELETED
from homeostat.storage.sql.schema import metadata
from homeostat.storage.sql.schema.data import quarantine
from homeostat.storage.sql.schema.logged_models import logged_models
from homeostat.storage.sql.schema.models import model_versions
from homeostat.storage.sql.schema.traces import trace_links, trace_tags, traces
from homeostat.storage.sql.schema.tracking import (
    experiments,
    input_datasets,
    metric_points,
    metric_series,
    run_inputs,
    runs,
)
from homeostat.storage.sql.traces import SqlTraces

_PLACE_TAG = "mlflow.artifactLocation"
_MOST_IDS = 500


class SqlGarbage:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def runs(self, *, before: datetime) -> list[Deleted]:
        gone = (runs.c.lifecycle_stage == "deleted") & (runs.c.deleted.is_(None) | (runs.c.deleted <= before))
        found = select(runs.c.run_id, runs.c.artifacts, runs.c.experiment_id).where(
            gone | runs.c.experiment_id.in_(_gone(before))
        )
        return self._deleted(found.order_by(runs.c.run_id))

    def logged_models(self, *, before: datetime) -> list[Deleted]:
        gone = (logged_models.c.lifecycle_stage == "deleted") & (logged_models.c.updated <= before)
        experiment_ids = [str(number) for number in self._connection.scalars(_gone(before))]
        found = select(logged_models.c.model_id, logged_models.c.artifacts, logged_models.c.experiment_id)
        found = found.where(gone | logged_models.c.experiment_id.in_(experiment_ids))
        return self._deleted(found.order_by(logged_models.c.model_id))

    def experiments(self, *, before: datetime) -> list[Deleted]:
        columns = experiments.c
        found = select(columns.experiment_id, columns.artifacts, columns.experiment_id).where(
            experiments.c.experiment_id.in_(_gone(before))
        )
        return self._deleted(found.order_by(experiments.c.experiment_id))

    def remove_runs(self, run_ids: Sequence[str]) -> None:
        for part in _parts(run_ids):
            series = select(metric_series.c.series_id).where(metric_series.c.run_id.in_(part))
            self._remove(metric_points, metric_points.c.series_id.in_(series))
            self._remove(trace_links, (trace_links.c.kind == "run") & trace_links.c.target.in_(part))
            self._remove_with_owned(runs, "run_id", part)
        self._remove(input_datasets, ~exists().where(run_inputs.c.dataset_id == input_datasets.c.dataset_id))

    def remove_logged_models(self, model_ids: Sequence[str]) -> None:
        for part in _parts(model_ids):
            self._remove_with_owned(logged_models, "model_id", part)

    def remove_experiment(self, experiment_id: str) -> int:
        kept = SqlTraces(self._connection)
        count = kept.delete(kept.ids(experiment_id=experiment_id))
        self._remove(input_datasets, input_datasets.c.experiment_id == number_of(experiment_id))
        self._remove_with_owned(experiments, "experiment_id", [number_of(experiment_id)])
        return count

    def named(self) -> set[str]:
        queries: tuple[Select[Any], ...] = (
            select(runs.c.artifacts),
            select(logged_models.c.artifacts),
            select(model_versions.c.location).where(model_versions.c.stage != DELETED),
            select(trace_tags.c.value).where(trace_tags.c.key == _PLACE_TAG),
            select(quarantine.c.location),
        )
        return {address for query in queries for address in self._connection.scalars(query) if address}

    def versions_at(self) -> dict[str, str]:
        columns = model_versions.c
        query = select(columns.location, columns.model, columns.version, columns.run_id, columns.model_id)
        rows = self._connection.execute(query.where(columns.stage != DELETED, columns.location != ""))
        return {row.location: f"{row.model}/{row.version}" for row in rows}

    def known(self, ids: Iterable[str]) -> set[str]:
        wanted = list(ids)
        out: set[str] = set()
        for column in (runs.c.run_id, logged_models.c.model_id, traces.c.trace_id):
            for part in _parts(wanted):
                out |= set(self._connection.scalars(select(column).where(column.in_(part))))
        return out

    def _deleted(self, query: Select[Any]) -> list[Deleted]:
        return [
            Deleted(id=str(row[0]), artifacts=row[1], experiment_id=str(row[2]))
            for row in self._connection.execute(query)
        ]

    def _remove_with_owned(self, table: Table, key: str, ids: Sequence[Any]) -> None:
        """Delete rows and those of every table that refers to them."""
        column = table.c[key]
        for other in reversed(metadata.sorted_tables):
            for foreign in other.columns:
                if foreign.references(column):
                    self._remove(other, foreign.in_(ids))
        self._remove(table, column.in_(ids))

    def _remove(self, table: Table, which: ColumnElement[bool]) -> None:
        self._connection.execute(delete(table).where(which))


def _gone(before: datetime) -> Select[Any]:
    """The ids of the experiments that go."""
    gone = (experiments.c.lifecycle_stage == "deleted") & (experiments.c.updated <= before)
    return select(experiments.c.experiment_id).where(gone)


def _parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _MOST_IDS] for start in range(0, len(ids), _MOST_IDS))
