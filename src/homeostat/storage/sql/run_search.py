"""Searches for runs in SQL: conditions become subqueries on indexes, and only ids are sorted."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, or_, select

from homeostat.core.queries import Condition, RunQuery
from homeostat.storage.sql.comparing import compare
from homeostat.storage.sql.experiments import number_of
from homeostat.storage.sql.run_order import PAIRS, attribute, by_value, is_indexed, ordered
from homeostat.storage.sql.schema.tracking import (
    HEAD_CHARACTERS,
    input_datasets,
    metric_series,
    run_inputs,
    runs,
)

_FEW = 1000


def found_ids(connection: Connection, query: RunQuery) -> list[str]:
    """Return the ids of the runs that the query asks for, in its order."""
    if not query.experiment_ids:
        return []
    experiments = [number_of(one) for one in query.experiment_ids]
    few = _few(connection, query.conditions, experiments)
    # the index of an experiment's runs is for walking it: where few are looked up, SQLite must not prefer it
    home = runs.c.experiment_id if few is None else runs.c.experiment_id + 0
    asked = select(runs.c.run_id).where(
        home.in_(experiments),
        runs.c.lifecycle_stage.in_(query.stages),
        *(_condition(one, connection.dialect.name) for one in query.conditions),
    )
    if few is not None:
        asked = asked.where(runs.c.run_id.in_(few))
    elif is_indexed(query.order, experiments):
        return by_value(connection, asked, query, experiments[0], find=found_ids)
    page = ordered(asked, query.order).limit(query.limit).offset(query.offset)
    return list(connection.scalars(page))


def _few(connection: Connection, conditions: tuple[Condition, ...], experiments: list[int]) -> Select[Any] | None:
    """Return the ids that the rarest condition lets through, where they are few: then they are looked at, and no order is walked."""
    best: tuple[int, Select[Any] | None] = (_FEW, None)
    for one in conditions:
        ids = _candidates(one, experiments, connection.dialect.name)
        if ids is None:
            continue
        count = connection.scalar(select(func.count()).select_from(ids.limit(best[0]).subquery())) or 0
        if count < best[0]:
            best = (count, ids)
    return best[1]


def _candidates(condition: Condition, experiments: list[int], dialect: str) -> Select[Any] | None:
    """Return the ids that a condition lets through where an index knows them, else None."""
    if condition.entity in PAIRS and condition.operator == "=":
        pairs, value = PAIRS[condition.entity].c, str(condition.value)
        found = select(pairs.run_id).where(
            pairs.experiment_id.in_(experiments), pairs.key == condition.key, pairs.head == value[:HEAD_CHARACTERS]
        )
        return found if len(value) < HEAD_CHARACTERS else found.where(pairs.value == value)
    if condition.entity == "metric" and condition.operator not in ("!=", "IS NULL") and len(experiments) == 1:
        series = metric_series.c
        of_key = (series.experiment_id == experiments[0], series.key == condition.key)
        return select(series.run_id).where(*of_key, _fitting(condition, dialect))
    return None


def _condition(condition: Condition, dialect: str) -> ColumnElement[bool]:
    match condition.entity:
        case "attribute":
            return compare(attribute(condition.key), condition.operator, condition.value, dialect=dialect)
        case "metric":
            return _metric(condition, dialect)
        case "param" | "tag":
            return _pair(condition, dialect)
        case "dataset":
            return _dataset(condition, dialect)


def _metric(condition: Condition, dialect: str) -> ColumnElement[bool]:
    series = metric_series.c
    has = exists().where(series.run_id == runs.c.run_id, series.key == condition.key)
    return ~has if condition.operator == "IS NULL" else has.where(_fitting(condition, dialect))


def _fitting(condition: Condition, dialect: str) -> ColumnElement[bool]:
    """Return which series fit; NaN, kept as 0, is unequal to every number and compares to none."""
    series = metric_series.c
    if condition.operator == "IS NAN":
        return series.is_nan == 1
    fits = compare(series.value, condition.operator, condition.value, dialect=dialect)
    return or_(series.is_nan == 1, fits) if condition.operator == "!=" else (series.is_nan == 0) & fits


def _pair(condition: Condition, dialect: str) -> ColumnElement[bool]:
    pairs = PAIRS[condition.entity].c
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
