"""Incidents in SQL."""

from typing import Any

from sqlalchemy import Connection, Row, select

from homeostat.core.errors import NotFound, near
from homeostat.core.records.watching import Incident
from homeostat.storage.sql.rows import record_of, upsert, values_of
from homeostat.storage.sql.schema.incidents import incidents

_LEAST_DIGITS = 4


class SqlIncidents:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, incident: Incident) -> None:
        upsert(self._connection, incidents, values_of(incident) | {"columns": list(incident.columns)})

    def get(self, incident_id: str) -> Incident:
        known = list(self._connection.scalars(select(incidents.c.incident_id)))
        found = [name for name in known if name == incident_id] or [
            name for name in known if len(incident_id) >= _LEAST_DIGITS and name.startswith(incident_id)
        ]
        if len(found) != 1:
            raise NotFound(f"no incident '{incident_id}'", hint=near(incident_id, known) or "none was opened yet")
        row = self._connection.execute(select(incidents).where(incidents.c.incident_id == found[0])).one()
        return _read(row)

    def newest(self, model: str, kind: str) -> Incident | None:
        query = select(incidents).where(incidents.c.model == model, incidents.c.kind == kind)
        row = self._connection.execute(query.order_by(incidents.c.opened.desc()).limit(1)).first()
        return None if row is None else _read(row)

    def recent(self, model: str, *, limit: int = 50) -> list[Incident]:
        query = select(incidents).where(incidents.c.model == model)
        query = query.order_by(incidents.c.opened.desc(), incidents.c.incident_id).limit(limit)
        return [_read(row) for row in self._connection.execute(query)]


def _read(row: Row[Any]) -> Incident:
    return record_of(Incident, row, columns=tuple(row._mapping["columns"]))  # noqa: SLF001 - SQLAlchemy's public name for it
