"""Logged models in SQL."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from homeostat.core.errors import Conflict, NotFound
from homeostat.core.queries import LoggedModelQuery
from homeostat.core.records.tracking import LoggedModel, LoggedModelMetric, LoggedModelStatus
from homeostat.storage.sql.model_search import logged_models_statement
from homeostat.storage.sql.rows import insert_missing, record_of, upsert, values_of
from homeostat.storage.sql.schema.logged_models import (
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
)

_ELSEWHERE = ("tags", "params", "metrics")
_MOST_IDS = 500


class SqlLoggedModels:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, model: LoggedModel) -> None:
        self._connection.execute(insert(logged_models).values(**values_of(model, without=_ELSEWHERE)))
        self.set_tags(model.model_id, model.tags)
        self.log_params(model.model_id, model.params)

    def get(self, model_id: str, *, allow_deleted: bool = False) -> LoggedModel:
        row = self._connection.execute(select(logged_models).where(logged_models.c.model_id == model_id)).first()
        if row is None or (row.lifecycle_stage != "active" and not allow_deleted):
            raise NotFound(f"no logged model '{model_id}'", hint="it may have been deleted, or never been logged here")
        return self._read([row])[0]

    def update(self, model: LoggedModel) -> None:
        values = values_of(model, without=("model_id", *_ELSEWHERE))
        which = logged_models.c.model_id == model.model_id
        if not self._connection.execute(update(logged_models).where(which).values(**values)).rowcount:
            raise NotFound(f"no logged model '{model.model_id}'")

    def set_tags(self, model_id: str, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            upsert(self._connection, logged_model_tags, {"model_id": model_id, "key": key, "value": value})

    def delete_tag(self, model_id: str, key: str) -> None:
        tags = logged_model_tags.c
        gone = delete(logged_model_tags).where(tags.model_id == model_id, tags.key == key)
        if not self._connection.execute(gone).rowcount:
            raise NotFound(f"logged model '{model_id}' has no tag '{key}'")

    def log_params(self, model_id: str, params: Mapping[str, str]) -> None:
        if not params:
            return
        columns = logged_model_params.c
        known = {
            row.key: row.value
            for row in self._connection.execute(select(columns.key, columns.value).where(columns.model_id == model_id))
        }
        for key, value in params.items():
            if known.get(key, value) != value:
                raise Conflict(
                    f"param '{key}' of logged model '{model_id}' is '{known[key]}' and cannot become '{value}'",
                    hint="params are immutable; log another model",
                )
        rows = [{"model_id": model_id, "key": key, "value": params[key]} for key in params if key not in known]
        if rows:
            self._connection.execute(insert(logged_model_params), rows)

    def log_metrics(self, metrics: Iterable[LoggedModelMetric]) -> None:
        rows = [values_of(metric) | {"value": None if math.isnan(metric.value) else metric.value} for metric in metrics]
        if rows:
            self._refuse_unknown({row["model_id"] for row in rows})
            insert_missing(self._connection, logged_model_metrics, *rows)

    def _refuse_unknown(self, ids: set[str]) -> None:
        columns, asked = logged_models.c, sorted(ids)
        known: set[str] = set()
        for start in range(0, len(asked), _MOST_IDS):
            part = select(columns.model_id).where(columns.model_id.in_(asked[start : start + _MOST_IDS]))
            known.update(self._connection.scalars(part))
        if unknown := sorted(ids - known):
            raise NotFound(f"no logged model '{unknown[0]}'", hint="it may have been freed, or never been logged here")

    def search(self, query: LoggedModelQuery) -> list[LoggedModel]:
        if not query.experiment_ids:
            return []
        statement = logged_models_statement(query, dialect=self._connection.dialect.name)
        return self._read(self._connection.execute(statement).all())

    def _read(self, rows: Sequence[Row[Any]]) -> list[LoggedModel]:
        ids = [row.model_id for row in rows]
        tags: dict[str, dict[str, str]] = {each: {} for each in ids}
        params: dict[str, dict[str, str]] = {each: {} for each in ids}
        metrics: dict[str, list[LoggedModelMetric]] = {each: [] for each in ids}
        names = [field.name for field in fields(LoggedModelMetric) if field.name != "value"]
        for start in range(0, len(ids), _MOST_IDS):
            part = ids[start : start + _MOST_IDS]
            for table, into in ((logged_model_tags, tags), (logged_model_params, params)):
                for row in self._connection.execute(
                    select(table).where(table.c.model_id.in_(part)).order_by(table.c.key)
                ):
                    into[row.model_id][row.key] = row.value
            columns = logged_model_metrics.c
            query = select(logged_model_metrics).where(columns.model_id.in_(part))
            for row in self._connection.execute(query.order_by(columns.key, columns.time, columns.step)):
                known = {name: getattr(row, name) for name in names}
                value = math.nan if row.value is None else row.value
                metrics[row.model_id].append(LoggedModelMetric(**known, value=value))
        return [
            record_of(
                LoggedModel,
                row,
                status=LoggedModelStatus(row.status),
                tags=tags[row.model_id],
                params=params[row.model_id],
                metrics=tuple(metrics[row.model_id]),
            )
            for row in rows
        ]
