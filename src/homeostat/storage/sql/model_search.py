"""Looking for registered models, versions and logged models in SQL."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, case, exists, func, or_, select

from homeostat.core.queries import Condition, LoggedModelQuery, ModelQuery, Order
from homeostat.storage.sql.comparing import compare
from homeostat.storage.sql.model_rows import DELETED as DELETED  # noqa: PLC0414 - others find it here
from homeostat.storage.sql.schema.logged_models import (
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
)
from homeostat.storage.sql.schema.models import (
    model_version_tags,
    model_versions,
    registered_model_tags,
    registered_models,
)

IS_PROMPT = "mlflow.prompt.is_prompt"


def models_statement(query: ModelQuery, *, dialect: str) -> Select[Any]:
    """Return the statement that finds registered models, in order, one more than asked for."""
    table = registered_models
    wanted: list[ColumnElement[bool]] = [_is_prompt(table.c.name, wanted=query.prompts)]
    for condition in query.conditions:
        if condition.entity == "tag":
            tag = registered_model_tags
            wanted.append(_has(tag, [tag.c.model == table.c.name], condition, dialect))
        else:
            wanted.append(compare(table.c[condition.key], condition.operator, condition.value, dialect=dialect))
    order = [_direction(table.c[each.key], each) for each in query.order]
    return select(table).where(*wanted).order_by(*order).limit(query.limit).offset(query.offset)


def versions_statement(query: ModelQuery, *, dialect: str) -> Select[Any]:
    """Return the statement that finds versions, in order. Deleted ones are not among them."""
    table = model_versions
    wanted: list[ColumnElement[bool]] = [
        table.c.stage != DELETED,
        _is_prompt(table.c.model, wanted=query.prompts),
    ]
    for condition in query.conditions:
        if condition.entity == "tag":
            tag = model_version_tags
            same = [tag.c.model == table.c.model, tag.c.version == table.c.version]
            wanted.append(_has(tag, same, condition, dialect))
        else:
            wanted.append(compare(table.c[condition.key], condition.operator, condition.value, dialect=dialect))
    order = [_direction(table.c[each.key], each) for each in query.order]
    return select(table).where(*wanted).order_by(*order).limit(query.limit).offset(query.offset)


def logged_models_statement(query: LoggedModelQuery, *, dialect: str) -> Select[Any]:
    """Return the statement that finds logged models, in order. Deleted ones are not among them."""
    table = logged_models
    wanted: list[ColumnElement[bool]] = [
        table.c.experiment_id.in_(query.experiment_ids),
        table.c.lifecycle_stage == "active",
    ]
    others: Mapping[str, Table] = {"tag": logged_model_tags, "param": logged_model_params}
    for condition in query.conditions:
        if condition.entity == "attribute":
            wanted.append(compare(table.c[condition.key], condition.operator, condition.value, dialect=dialect))
        elif condition.entity == "metric":
            same = [logged_model_metrics.c.model_id == table.c.model_id, *_on(query)]
            wanted.append(_has(logged_model_metrics, same, condition, dialect))
        else:
            other = others[condition.entity]
            wanted.append(_has(other, [other.c.model_id == table.c.model_id], condition, dialect))
    if query.datasets and not any(condition.entity == "metric" for condition in query.conditions):
        measured = [logged_model_metrics.c.model_id == table.c.model_id, *_on(query)]
        wanted.append(exists().where(*measured))
    statement = select(table).where(*wanted)
    order: list[ColumnElement[Any]] = []
    for each in query.order:
        column: ColumnElement[Any] = table.c[each.key] if each.entity == "attribute" else _newest(each)
        order += [case((column.is_(None), 1), else_=0), _direction(column, each)]
    return statement.order_by(*order).limit(query.limit).offset(query.offset)


def _on(query: LoggedModelQuery) -> list[ColumnElement[bool]]:
    metric = logged_model_metrics.c
    named = [
        and_(metric.dataset_name == name, *([metric.dataset_digest == digest] if digest else []))
        for name, digest in query.datasets
    ]
    return [or_(*named)] if named else []


def _newest(order: Order) -> ColumnElement[Any]:
    """The newest value of a metric of the model in the row."""
    metric = logged_model_metrics.c
    wanted = [metric.model_id == logged_models.c.model_id, metric.key == order.key]
    if order.dataset_name:
        wanted.append(metric.dataset_name == order.dataset_name)
    if order.dataset_digest:
        wanted.append(metric.dataset_digest == order.dataset_digest)
    newest = select(metric.value).where(*wanted).order_by(metric.time.desc(), metric.step.desc(), metric.run_id)
    return newest.limit(1).correlate(logged_models).scalar_subquery()


def _has(table: Table, same: list[ColumnElement[bool]], condition: Condition, dialect: str) -> ColumnElement[bool]:
    value = compare(table.c.value, condition.operator, condition.value, dialect=dialect)
    return exists().where(*same, table.c.key == condition.key, value)


def _is_prompt(name: ColumnElement[str], *, wanted: bool) -> ColumnElement[bool]:
    tag = registered_model_tags.c
    found = exists().where(tag.model == name, tag.key == IS_PROMPT, func.lower(tag.value) == "true")
    return found if wanted else ~found


def _direction(column: ColumnElement[Any], order: Order) -> ColumnElement[Any]:
    return column.asc() if order.is_ascending else column.desc()
