"""In which order runs come: what has no value comes last, whichever way; then the newest, then by id."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, case, select, type_coerce

from homeostat.core.errors import InvalidInput
from homeostat.core.queries import Condition, Operand, Order, RunQuery
from homeostat.storage.sql.schema.tracking import HEAD_CHARACTERS, metric_series, run_params, run_tags, runs

PAIRS = {"param": run_params, "tag": run_tags}
_VALUED = {"metric": metric_series, **PAIRS}
_ATTRIBUTES = {
    "run_id": "run_id",
    "run_name": "name",
    "status": "status",
    "user_id": "user",
    "artifact_uri": "artifacts",
}
_MOST_LISTED = 1000
_TIMES = {"start_time": "started", "end_time": "ended"}


def attribute(key: str) -> ColumnElement[Any]:
    """Return what a run's attribute is in SQL; raise InvalidInput where runs have none of that name."""
    if key in _TIMES:
        return type_coerce(runs.c[_TIMES[key]], BigInteger) // 1000
    if key not in _ATTRIBUTES:
        raise InvalidInput(f"runs have no attribute '{key}'")
    return runs.c[_ATTRIBUTES[key]]


def ordered(
    statement: Select[Any], order: tuple[Order, ...], *, before: tuple[ColumnElement[Any], ...] = ()
) -> Select[Any]:
    """Return the statement in the order asked for, and in the order of the terms `before` before that."""
    out: list[ColumnElement[Any]] = list(before)
    for one in order:
        if one.entity == "attribute":
            value = attribute(one.key)
            missing: ColumnElement[Any] = case((value.is_(None), 1), else_=0)
        else:
            table = _VALUED[one.entity].alias()
            statement = statement.outerjoin(table, (table.c.run_id == runs.c.run_id) & (table.c.key == one.key))
            value = table.c.value
            is_nan = [(table.c.is_nan == 1, 1)] if one.entity == "metric" else []
            missing = case(*is_nan, (value.is_(None), 2), else_=0)
        out += [missing, _directed(value, one)]
    if all((one.entity, one.key) != ("attribute", "start_time") for one in order):
        out.append(runs.c.started.desc())
    return statement.order_by(*out, runs.c.run_id)


def is_indexed(order: tuple[Order, ...], experiments: list[int]) -> bool:
    """Return whether an index holds the runs in the order's first term."""
    return bool(order) and order[0].entity in _VALUED and len(experiments) == 1


def by_value(
    connection: Connection,
    asked: Select[Any],
    query: RunQuery,
    experiment: int,
    *,
    find: Callable[[Connection, RunQuery], list[str]],
) -> list[str]:
    """Return the page's ids: the index is walked to the value that the page ends with, and only what lies before it is sorted.

    Runs that share that last value may be many, and so may those without one: `find` looks for them as for any others.
    """
    first, then, end = query.order[0], query.order[1:], query.offset + query.limit
    table = _VALUED[first.entity].alias()
    indexed = table.c.value if first.entity == "metric" else table.c.head
    of_run = (table.c.run_id == runs.c.run_id) & (table.c.key == first.key)
    valued = asked.join(table, of_run).where(table.c.experiment_id == experiment)
    if first.entity == "metric":
        valued = valued.where(table.c.is_nan == 0)

    def in_order(statement: Select[Any]) -> Select[Any]:
        return ordered(statement, then, before=(_directed(table.c.value, first),))

    def alike(operator: str, value: Operand = None) -> list[str]:
        conditions = (*query.conditions, Condition(entity=first.entity, key=first.key, operator=operator, value=value))
        return find(connection, replace(query, conditions=conditions, order=then, limit=end - len(found), offset=0))

    walk = valued.add_columns(indexed.label("walked")).order_by(_directed(indexed, first)).limit(end + 1)
    walked = connection.execute(walk).all()
    is_cut = len(walked) > end  # by the page's end, perhaps among runs that share a value
    shared = walked[end].walked if is_cut and walked[end].walked == walked[end - 1].walked else None
    ids = [row.run_id for row in walked[:end] if row.walked != shared]
    if len(ids) <= _MOST_LISTED:  # they need not be found again to be sorted
        nearer = select(runs.c.run_id).join(table, of_run).where(runs.c.run_id.in_(ids))
    else:
        reached = walked[len(ids) - 1].walked
        nearer = valued.where(indexed <= reached if first.is_ascending else indexed >= reached)
    found = list(connection.scalars(in_order(nearer))) if ids else []
    if not is_cut:  # all that have a value came first
        for missing in ("IS NAN", "IS NULL") if first.entity == "metric" else ("IS NULL",):
            found += alike(missing) if len(found) < end else []
    elif (
        shared is not None and first.entity != "metric" and len(shared) == HEAD_CHARACTERS
    ):  # values that begin alike may go on differently
        found += connection.scalars(in_order(valued.where(indexed == shared)).limit(end - len(found)))
    elif shared is not None:
        found += alike("=", shared)
    return found[query.offset :]


def _directed(value: ColumnElement[Any], order: Order) -> ColumnElement[Any]:
    return value.asc() if order.is_ascending else value.desc()
