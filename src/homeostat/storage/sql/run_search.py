"""Searches for runs in SQL: conditions become subqueries on indexes, and only ids are sorted."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, case, exists, or_, select, type_coerce

from homeostat.core.errors import InvalidInput
from homeostat.core.queries import Condition, Order, RunQuery
from homeostat.storage.sql.comparing import compare
from homeostat.storage.sql.experiments import number_of
from homeostat.storage.sql.schema.tracking import (
    HEAD_CHARACTERS,
    input_datasets,
    metric_series,
    run_inputs,
    run_params,
    run_tags,
    runs,
)

_ATTRIBUTES = {
    "run_id": "run_id",
    "run_name": "name",
    "status": "status",
    "user_id": "user",
    "artifact_uri": "artifacts",
}
_TIMES = {"start_time": "started", "end_time": "ended"}
_PAIRS = {"param": run_params, "tag": run_tags}


def found_ids(connection: Connection, query: RunQuery) -> list[str]:
    """Return the ids of the runs that the query asks for, in its order."""
    if not query.experiment_ids:
        return []
    statement = select(runs.c.run_id).where(
        runs.c.experiment_id.in_([number_of(one) for one in query.experiment_ids]),
        runs.c.lifecycle_stage.in_(query.stages),
        *(_condition(one, connection.dialect.name) for one in query.conditions),
    )
    statement = _ordered(statement, query.order).limit(query.limit).offset(query.offset)
    return list(connection.scalars(statement))


def _condition(condition: Condition, dialect: str) -> ColumnElement[bool]:
    match condition.entity:
        case "attribute":
            return compare(_attribute(condition.key), condition.operator, condition.value, dialect=dialect)
        case "metric":
            return _metric(condition, dialect)
        case "param" | "tag":
            return _pair(condition, dialect)
        case "dataset":
            return _dataset(condition, dialect)


def _attribute(key: str) -> ColumnElement[Any]:
    if key in _TIMES:
        return type_coerce(runs.c[_TIMES[key]], BigInteger) // 1000
    if key not in _ATTRIBUTES:
        raise InvalidInput(f"runs have no attribute '{key}'")
    return runs.c[_ATTRIBUTES[key]]


def _metric(condition: Condition, dialect: str) -> ColumnElement[bool]:
    series = metric_series.c
    fits = compare(series.value, condition.operator, condition.value, dialect=dialect)
    # NaN, kept as 0, is unequal to every number and compares to none
    fits = or_(series.is_nan == 1, fits) if condition.operator == "!=" else (series.is_nan == 0) & fits
    return exists().where(series.run_id == runs.c.run_id, series.key == condition.key, fits)


def _pair(condition: Condition, dialect: str) -> ColumnElement[bool]:
    pairs = _PAIRS[condition.entity].c
    has = exists().where(pairs.run_id == runs.c.run_id, pairs.key == condition.key)
    if condition.operator == "IS NULL":
        return ~has
    if condition.operator == "IS NOT NULL":
        return has
    return has.where(compare(pairs.value, condition.operator, condition.value, dialect=dialect))


def _dataset(condition: Condition, dialect: str) -> ColumnElement[bool]:
    column = run_inputs.c.context if condition.key == "context" else input_datasets.c[condition.key]
    return exists().where(
        run_inputs.c.run_id == runs.c.run_id,
        run_inputs.c.dataset_id == input_datasets.c.dataset_id,
        compare(column, condition.operator, condition.value, dialect=dialect),
    )


def _ordered(statement: Select[Any], order: tuple[Order, ...]) -> Select[Any]:
    """Return the statement in the order asked for: what has no value comes last, whichever way; then the newest, then by id."""
    out: list[ColumnElement[Any]] = []
    for one in order:
        if one.entity == "attribute":
            value = _attribute(one.key)
            missing: ColumnElement[Any] = case((value.is_(None), 1), else_=0)
        else:
            table = (metric_series if one.entity == "metric" else _PAIRS[one.entity]).alias()
            statement = statement.outerjoin(table, (table.c.run_id == runs.c.run_id) & (table.c.key == one.key))
            value = table.c.value
            is_nan = [(table.c.is_nan == 1, 1)] if one.entity == "metric" else []
            missing = case(*is_nan, (value.is_(None), 2), else_=0)
        out += [missing, value.asc() if one.is_ascending else value.desc()]
    if all((one.entity, one.key) != ("attribute", "start_time") for one in order):
        out.append(runs.c.started.desc())
    return statement.order_by(*out, runs.c.run_id)


__all__ = ["HEAD_CHARACTERS", "found_ids"]
