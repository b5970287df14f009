"""Searches for runs in SQL: conditions become subqueries on indexes, and only ids are sorted."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, case, exists, func, or_, select, type_coerce

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
_FEW = 1000


def found_ids(connection: Connection, query: RunQuery) -> list[str]:
    """Return the ids of the runs that the query asks for, in its order."""
    if not query.experiment_ids:
        return []
    experiments = [number_of(one) for one in query.experiment_ids]
    asked = select(runs.c.run_id).where(
        runs.c.experiment_id.in_(experiments),
        runs.c.lifecycle_stage.in_(query.stages),
        *(_condition(one, connection.dialect.name) for one in query.conditions),
    )
    few = _few(connection, query.conditions, experiments)
    if few is not None:
        asked = asked.where(runs.c.run_id.in_(few))
    elif query.order and query.order[0].entity == "metric" and len(experiments) == 1:
        return _by_metric(connection, asked, query, experiments[0])
    page = _ordered(asked, query.order).limit(query.limit).offset(query.offset)
    return list(connection.scalars(page))


def _by_metric(connection: Connection, asked: Select[Any], query: RunQuery, experiment: int) -> list[str]:
    """Walk the index of the metric's values and stop when the page is full; runs without a number come after all that have one."""
    first, series = query.order[0], metric_series.alias()
    value = series.c.value.asc() if first.is_ascending else series.c.value.desc()
    valued = asked.join(series, series.c.run_id == runs.c.run_id).where(
        series.c.experiment_id == experiment, series.c.key == first.key, series.c.is_nan == 0
    )
    page = _ordered(valued, query.order[1:], before=(value,))
    found = list(connection.scalars(page.limit(query.limit).offset(query.offset)))
    if len(found) == query.limit:
        return found
    passed = query.offset and (connection.scalar(select(func.count()).select_from(valued.subquery())) or 0)
    number = metric_series.alias()
    without = asked.where(
        ~exists().where(number.c.run_id == runs.c.run_id, number.c.key == first.key, number.c.is_nan == 0)
    )
    rest = _ordered(without, query.order).limit(query.limit - len(found)).offset(max(0, query.offset - passed))
    return found + list(connection.scalars(rest))


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
    if condition.entity in _PAIRS and condition.operator == "=":
        pairs, value = _PAIRS[condition.entity].c, str(condition.value)
        return select(pairs.run_id).where(
            pairs.key == condition.key, pairs.head == value[:HEAD_CHARACTERS], pairs.value == value
        )
    if condition.entity == "metric" and condition.operator != "!=" and len(experiments) == 1:
        series = metric_series.c
        return select(series.run_id).where(
            series.experiment_id == experiments[0],
            series.key == condition.key,
            series.is_nan == 0,
            compare(series.value, condition.operator, condition.value, dialect=dialect),
        )
    return None


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


def _ordered(
    statement: Select[Any], order: tuple[Order, ...], *, before: tuple[ColumnElement[Any], ...] = ()
) -> Select[Any]:
    """Return the statement in the order asked for: what has no value comes last, whichever way; then the newest, then by id."""
    out: list[ColumnElement[Any]] = list(before)
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
