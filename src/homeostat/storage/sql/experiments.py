"""Experiments in SQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    type_coerce,
    update,
)

from homeostat.core.errors import AlreadyExists, InvalidInput, NotFound
from homeostat.core.queries import Condition, ExperimentQuery, Order
from homeostat.core.records.tracking import Experiment
from homeostat.storage.sql.comparing import compare
from homeostat.storage.sql.prepared import Prepared, of_micros
from homeostat.storage.sql.rows import insert_missing, upsert
from homeostat.storage.sql.schema.tracking import experiment_tags, experiments

DEFAULT_ID = "0"
_MOST_ID = 2**31 - 1
_GET = Prepared(lambda _: select(experiments).where(experiments.c.experiment_id == bindparam("number")), "number")
_TAGS = Prepared(
    lambda _: (
        select(experiment_tags.c.key, experiment_tags.c.value)
        .where(experiment_tags.c.experiment_id == bindparam("number"))
        .order_by(experiment_tags.c.key)
    ),
    "number",
)


class SqlExperiments:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        name: str,
        *,
        artifacts: str = "",
        tags: Mapping[str, str] | None = None,
        now: datetime,
        experiment_id: str | None = None,
    ) -> str:
        known = self.by_name(name)
        if known is not None:
            deleted = " It is deleted: restore it, or delete it for good." if known.lifecycle_stage != "active" else ""
            raise AlreadyExists(f"Experiment(name={name}) already exists.{deleted}")
        values: dict[str, Any] = {"name": name, "created": now, "updated": now}
        values |= {"artifacts": artifacts, "lifecycle_stage": "active"}
        if experiment_id is not None:
            values["experiment_id"] = number_of(experiment_id)
        made = self._connection.execute(insert(experiments).values(**values))
        assert made.inserted_primary_key
        number: int = made.inserted_primary_key[0]
        if experiment_id is not None and self._connection.dialect.name == "postgresql":
            # the sequence does not notice ids that were given: the next one must not meet this
            highest = select(func.max(experiments.c.experiment_id)).scalar_subquery()
            sequence = func.pg_get_serial_sequence("experiments", "experiment_id")
            self._connection.execute(select(func.setval(sequence, func.greatest(highest, 1))))
        rows = [{"experiment_id": number, "key": key, "value": value} for key, value in (tags or {}).items()]
        if rows:
            self._connection.execute(insert(experiment_tags), rows)
        return str(number)

    def get(self, experiment_id: str) -> Experiment:
        number = number_of(experiment_id)
        row = _GET.run(self._connection, number).fetchone()
        if row is None:
            raise NotFound(f"No Experiment with id={experiment_id} exists")
        _, name, created, updated, artifacts, stage = row
        return Experiment(
            experiment_id=str(number),
            name=name,
            created=of_micros(created),
            updated=of_micros(updated),
            artifacts=artifacts,
            lifecycle_stage=stage,
            tags=dict(_TAGS.run(self._connection, number).fetchall()),
        )

    def by_name(self, name: str) -> Experiment | None:
        row = self._connection.execute(select(experiments).where(experiments.c.name == name)).first()
        return None if row is None else self._with_tags([row])[0]

    def search(self, query: ExperimentQuery) -> list[Experiment]:
        where = [self._condition(condition) for condition in query.conditions]
        found = (
            select(experiments)
            .where(experiments.c.lifecycle_stage.in_(query.stages), *where)
            .order_by(*_order(query.order))
            .limit(query.limit)
            .offset(query.offset)
        )
        return self._with_tags(list(self._connection.execute(found)))

    def rename(self, experiment_id: str, name: str, *, now: datetime) -> None:
        other = self.by_name(name)
        if other is not None and other.experiment_id != experiment_id:
            raise AlreadyExists(f"Experiment(name={name}) already exists.")
        self._set(experiment_id, name=name, updated=now)

    def set_stage(self, experiment_id: str, stage: str, *, now: datetime) -> None:
        self._set(experiment_id, lifecycle_stage=stage, updated=now)

    def set_tag(self, experiment_id: str, key: str, value: str) -> None:
        upsert(
            self._connection,
            experiment_tags,
            {"experiment_id": number_of(experiment_id), "key": key, "value": value},
        )

    def delete_tag(self, experiment_id: str, key: str) -> bool:
        tags = experiment_tags.c
        which = (tags.experiment_id == number_of(experiment_id)) & (tags.key == key)
        return self._connection.execute(delete(experiment_tags).where(which)).rowcount > 0

    def _set(self, experiment_id: str, **values: Any) -> None:
        which = experiments.c.experiment_id == number_of(experiment_id)
        if not self._connection.execute(update(experiments).where(which).values(**values)).rowcount:
            raise NotFound(f"No Experiment with id={experiment_id} exists")

    def _condition(self, condition: Condition) -> ColumnElement[bool]:
        dialect = self._connection.dialect.name
        if condition.entity == "attribute":
            column = _column(condition.key)
            value: Any = condition.value
            if condition.key == "experiment_id":
                value = [number_of(v) for v in value] if isinstance(value, tuple) else number_of(str(value))
            return compare(column, condition.operator, value, dialect=dialect)
        tags = experiment_tags.c
        has = exists().where(tags.experiment_id == experiments.c.experiment_id, tags.key == condition.key)
        match condition.operator:
            case "IS NULL":
                return ~has
            case "IS NOT NULL":
                return has
        return has.where(compare(tags.value, condition.operator, condition.value, dialect=dialect))

    def _with_tags(self, rows: list[Row[Any]]) -> list[Experiment]:
        tags: dict[int, dict[str, str]] = {row.experiment_id: {} for row in rows}
        query = select(experiment_tags).where(experiment_tags.c.experiment_id.in_(tags)).order_by(experiment_tags.c.key)
        for row in self._connection.execute(query) if tags else ():
            tags[row.experiment_id][row.key] = row.value
        return [
            Experiment(
                experiment_id=str(row.experiment_id),
                name=row.name,
                created=row.created,
                updated=row.updated,
                artifacts=row.artifacts,
                lifecycle_stage=row.lifecycle_stage,
                tags=tags[row.experiment_id],
            )
            for row in rows
        ]


def number_of(experiment_id: str) -> int:
    """Return the number that an experiment's id says; raise InvalidInput where it says none."""
    if not (experiment_id.isascii() and experiment_id.isdigit() and int(experiment_id[:20]) <= _MOST_ID):
        raise InvalidInput(f"Invalid experiment ID '{experiment_id[:100]}'. Experiment ID must be a valid integer.")
    return int(experiment_id)


def make_default(connection: Connection, *, now: datetime) -> None:
    """Make sure that experiment 0, named Default, is there."""
    row = {"experiment_id": int(DEFAULT_ID), "name": "Default", "created": now, "updated": now}
    insert_missing(connection, experiments, row | {"artifacts": "", "lifecycle_stage": "active"})


def _column(key: str) -> ColumnElement[Any]:
    match key:
        case "creation_time":
            return type_coerce(experiments.c.created, BigInteger) // 1000
        case "last_update_time":
            return type_coerce(experiments.c.updated, BigInteger) // 1000
        case "name" | "experiment_id":
            return experiments.c[key]
        case _:
            raise InvalidInput(f"experiments have no attribute '{key}'")


def _order(order: tuple[Order, ...]) -> list[ColumnElement[Any]]:
    wanted = order or (Order(key="creation_time", is_ascending=False), Order(key="experiment_id"))
    out: list[ColumnElement[Any]] = [
        _column(one.key).asc() if one.is_ascending else _column(one.key).desc() for one in wanted
    ]
    if all(one.key != "experiment_id" for one in wanted):
        out.append(experiments.c.experiment_id.desc())
    return out
