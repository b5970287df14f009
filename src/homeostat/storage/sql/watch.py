"""Window verdicts and small states in SQL."""

from sqlalchemy import Connection, func, insert, select

from homeostat.core.records.watching import WindowVerdict
from homeostat.core.values import Json
from homeostat.storage.sql.rows import record_of, upsert, values_of
from homeostat.storage.sql.schema.watch import states, window_verdicts


class SqlWatch:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, verdict: WindowVerdict) -> None:
        self._connection.execute(insert(window_verdicts).values(**values_of(verdict)))

    def verdicts(self, model: str, *, limit: int | None = None) -> list[WindowVerdict]:
        rank = func.row_number().over(
            partition_by=(window_verdicts.c.window_start, window_verdicts.c.window_end),
            order_by=window_verdicts.c.revision.desc(),
        )
        ranked = select(window_verdicts, rank.label("rank")).where(window_verdicts.c.model == model).subquery()
        query = select(ranked).where(ranked.c.rank == 1).order_by(ranked.c.window_end.desc())
        if limit is not None:
            query = query.limit(limit)
        return [record_of(WindowVerdict, row) for row in self._connection.execute(query)][::-1]

    def get_state(self, name: str) -> Json | None:
        return self._connection.scalar(select(states.c.value).where(states.c.name == name))

    def set_state(self, name: str, value: Json) -> None:
        upsert(self._connection, states, {"name": name, "value": value})
