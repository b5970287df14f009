"""Turns of the loop in SQL."""

from sqlalchemy import Connection, Row, select

from homeostat.core.errors import NotFound, near
from homeostat.core.records.cycles import Cycle, CycleState
from homeostat.storage.sql.rows import record_of, upsert, values_of
from homeostat.storage.sql.schema.cycles import cycles


class SqlCycles:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, cycle: Cycle) -> None:
        upsert(self._connection, cycles, values_of(cycle))

    def get(self, cycle_id: str) -> Cycle:
        cycle = self.find(cycle_id)
        if cycle is None:
            known = list(self._connection.scalars(select(cycles.c.cycle_id)))
            alike = [name for name in known if name.startswith(cycle_id)]
            if len(alike) == 1 and len(cycle_id) >= 4:
                return self.get(alike[0])
            raise NotFound(
                f"no cycle '{cycle_id}'",
                hint=near(cycle_id, known) or "none was started yet: `homeostat retrain` asks for one",
            )
        return cycle

    def find(self, cycle_id: str) -> Cycle | None:
        row = self._connection.execute(select(cycles).where(cycles.c.cycle_id == cycle_id)).first()
        return None if row is None else _read(row)

    def running(self, model: str) -> Cycle | None:
        query = select(cycles).where(cycles.c.model == model, cycles.c.state == CycleState.RUNNING.value)
        row = self._connection.execute(query.order_by(cycles.c.started).limit(1)).first()
        return None if row is None else _read(row)

    def recent(self, model: str | None = None, *, limit: int = 50) -> list[Cycle]:
        query = select(cycles).order_by(cycles.c.started.desc(), cycles.c.cycle_id).limit(limit)
        if model is not None:
            query = query.where(cycles.c.model == model)
        return [_read(row) for row in self._connection.execute(query)]


def _read(row: Row[tuple[object, ...]]) -> Cycle:
    return record_of(Cycle, row, state=CycleState(row.state))
