"""Looking for traces in SQL."""

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy import column as named_column

from homeostat.core.errors import InvalidInput
from homeostat.core.traces import RUN_KEY, TraceCondition, TraceOrder, TraceQuery
from homeostat.storage.sql.comparing import compare
from homeostat.storage.sql.schema.traces import (
    assessments,
    spans,
    trace_links,
    trace_metadata,
    trace_tags,
    traces,
)
from homeostat.storage.sql.types import UtcTime

_IS_THERE = {"IS NULL": False, "IS NOT NULL": True}
_SIMPLE = ("string_value", "int_value", "double_value")


def traces_statement(query: TraceQuery, *, dialect: str) -> Select[Any]:
    """Return the statement that finds traces, in order."""
    wanted: list[ColumnElement[bool]] = []
    if query.experiment_ids is not None:
        wanted.append(traces.c.experiment_id.in_([int(each) for each in query.experiment_ids]))
    on_span = [each for each in query.conditions if each.entity in ("span", "span_attribute")]
    wanted += [_condition(each, dialect) for each in query.conditions if each not in on_span]
    if on_span:  # all of them about one and the same span
        same = spans.c.trace_id == traces.c.trace_id
        wanted.append(exists().where(same, *(_on_span(each, dialect) for each in on_span)))
    order: list[ColumnElement[Any]] = []
    for each in query.order:
        found = _ordered(each)
        order += [case((found.is_(None), 1), else_=0), found.asc() if each.is_ascending else found.desc()]
    order += [traces.c.started.desc(), traces.c.trace_id.asc()]
    return select(traces).where(*wanted).order_by(*order).limit(query.limit).offset(query.offset)


def _condition(condition: TraceCondition, dialect: str) -> ColumnElement[bool]:  # noqa: PLR0911 - one per entity
    match condition.entity:
        case "attribute":
            return _compare(_attribute(condition.key), condition, dialect)
        case "tag":
            return _keyed(trace_tags, condition, dialect)
        case "metadata":
            return _keyed(trace_metadata, condition, dialect)
        case "run":
            recorded = TraceCondition(entity="metadata", key=RUN_KEY, operator="=", value=condition.value)
            return or_(_linked("run", condition.value), _keyed(trace_metadata, recorded, dialect))
        case "prompt":
            return _linked("prompt", condition.value)
        case "issue":
            return _judged(condition, assessments.c.name == condition.value)
        case "feedback" | "expectation":
            return _assessed(condition, dialect)
        case _:
            raise InvalidInput(f"'{condition.entity}' is nothing that traces are searched by")


def _attribute(key: str) -> ColumnElement[Any]:
    if key == "ended":  # in microseconds, as times are kept
        micros = type_coerce(traces.c.started, BigInteger) + func.coalesce(traces.c.duration_ms, 0) * 1000
        return type_coerce(micros, UtcTime)
    return traces.c[key]


def _keyed(table: Table, condition: TraceCondition, dialect: str) -> ColumnElement[bool]:
    same = [table.c.trace_id == traces.c.trace_id, table.c.key == condition.key]
    is_there = _IS_THERE.get(condition.operator)
    if is_there is not None:
        return exists().where(*same) if is_there else ~exists().where(*same)
    return exists().where(*same, _compare(table.c.value, condition, dialect))


def _on_span(condition: TraceCondition, dialect: str) -> ColumnElement[bool]:
    if condition.entity == "span":
        return _compare(spans.c[condition.key], condition, dialect)
    found: list[ColumnElement[Any]]
    if dialect == "sqlite":
        item = func.json_each(spans.c.content, "$.attributes").table_valued("value")
        key = func.json_extract(item.c.value, "$.key")
        found = [cast(func.json_extract(item.c.value, f"$.value.{kind}"), Text) for kind in _SIMPLE]
        is_true = func.json_extract(item.c.value, "$.value.bool_value")
        found += [case((is_true == 1, "true"), (is_true == 0, "false")), func.json_extract(item.c.value, "$.value")]
    else:
        from sqlalchemy.dialects.postgresql import JSONB  # takes 0.1 s

        attributes = cast(spans.c.content, JSONB)["attributes"]
        item = func.jsonb_array_elements(attributes).table_valued(named_column("value", JSONB))
        key = item.c.value["key"].astext
        found = [item.c.value["value"][kind].astext for kind in (*_SIMPLE, "bool_value")]
        found.append(cast(item.c.value["value"], Text))
    value = _compare(func.coalesce(*found), condition, dialect)
    return exists(select(item.c.value).where(key == condition.key, value))


def _linked(kind: str, target: Any) -> ColumnElement[bool]:
    link = trace_links.c
    return exists().where(link.trace_id == traces.c.trace_id, link.kind == kind, link.target == target)


def _assessed(condition: TraceCondition, dialect: str) -> ColumnElement[bool]:
    each = assessments.c
    is_there = _IS_THERE.get(condition.operator)
    if is_there is not None:
        found = _judged(condition, each.name == condition.key)
        return found if is_there else ~found
    if condition.operator in ("<", "<=", ">", ">="):
        value = _compare(each.numeric, condition, dialect)
    elif condition.operator in ("=", "!="):  # values are kept as JSON: true, 5, "yes"
        text = cast(each.value, Text)
        either = (str(condition.value), json.dumps(str(condition.value)))
        value = text.in_(either) if condition.operator == "=" else text.not_in(either)
    else:
        value = _compare(cast(each.value, Text), condition, dialect)
    return _judged(condition, and_(each.name == condition.key, value))


def _judged(condition: TraceCondition, *wanted: ColumnElement[bool]) -> ColumnElement[bool]:
    each = assessments.c
    return exists().where(
        each.trace_id == traces.c.trace_id, each.kind == condition.entity, each.valid.is_(True), *wanted
    )


def _compare(left: ColumnElement[Any], condition: TraceCondition, dialect: str) -> ColumnElement[bool]:
    return compare(left, condition.operator, condition.value, dialect=dialect)


def _ordered(order: TraceOrder) -> ColumnElement[Any]:
    if order.entity == "attribute":
        return _attribute(order.key)
    table = trace_tags if order.entity == "tag" else trace_metadata
    which = (table.c.trace_id == traces.c.trace_id) & (table.c.key == order.key)
    return select(table.c.value).where(which).correlate(traces).scalar_subquery()
