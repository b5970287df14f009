"""Routes and the workers that follow them, in SQL."""

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from homeostat.core.records.routes import Route, Segment, Split, Worker
from homeostat.storage.sql.rows import record_of, upsert, values_of
from homeostat.storage.sql.schema.serving import routes, workers


class SqlRoutes:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, model: str) -> Route | None:
        row = self._connection.execute(select(routes).where(routes.c.model == model)).first()
        return None if row is None else _route(row)

    def all(self) -> list[Route]:
        return [_route(row) for row in self._connection.execute(select(routes).order_by(routes.c.model))]

    def put(self, route: Route) -> Route:
        known = self.get(route.model)
        stored = replace(route, generation=(known.generation if known else 0) + 1)
        upsert(self._connection, routes, {**values_of(stored), **_rules(stored)})
        return stored

    def beat(self, worker: Worker) -> None:
        upsert(self._connection, workers, values_of(worker))

    def workers(self, *, alive_since: datetime) -> list[Worker]:
        query = select(workers).where(workers.c.heartbeat >= alive_since).order_by(workers.c.worker_id)
        return [record_of(Worker, row) for row in self._connection.execute(query)]

    def forget_worker(self, worker_id: str) -> None:
        self._connection.execute(delete(workers).where(workers.c.worker_id == worker_id))


def _rules(route: Route) -> dict[str, Any]:
    return {
        "segments": [{"when": dict(segment.when), "version": segment.version} for segment in route.segments] or None,
        "split": None if route.split is None else {**asdict(route.split), "shares": sorted(route.split.shares.items())},
    }


def _route(row: Row[Any]) -> Route:
    segments, split = row.segments or (), row.split
    return record_of(
        Route,
        row,
        segments=tuple(Segment(**segment) for segment in segments),
        split=None if split is None else Split(**{**split, "shares": dict(split["shares"])}),
    )
