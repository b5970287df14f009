"""The audit log in SQL: the next entry is computed and written inside the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from homeostat.core.chain import GENESIS, digest
from homeostat.core.errors import Conflict
from homeostat.core.ports import Json
from homeostat.core.records import Event
from homeostat.storage.sql.rows import record_of, upsert, values_of
from homeostat.storage.sql.schema.audit import audit_events
from homeostat.storage.sql.schema.watch import states

_HEAD = "audit.head"


class SqlAudit:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(
        self, kind: str, *, subject: str, actor: str, time: datetime, payload: Json, key: str | None = None
    ) -> Event:
        if key is not None and self.by_key(key) is not None:
            raise Conflict(f"the audit log already has an event with key '{key}'")
        last = self.last()
        previous, seq = (last.digest, last.seq + 1) if last else (GENESIS, 1)
        event = Event(
            seq=seq,
            time=time,
            actor=actor,
            kind=kind,
            subject=subject,
            payload=payload,
            key=key,
            previous=previous,
            digest=digest(
                previous=previous,
                seq=seq,
                time=time,
                actor=actor,
                kind=kind,
                subject=subject,
                payload=payload,
                key=key,
            ),
        )
        self._connection.execute(insert(audit_events).values(**values_of(event)))
        upsert(self._connection, states, {"name": _HEAD, "value": {"seq": seq, "digest": event.digest}})
        return event

    def head(self) -> tuple[int, str] | None:
        value = self._connection.scalar(select(states.c.value).where(states.c.name == _HEAD))
        return None if value is None else (value["seq"], value["digest"])

    def by_key(self, key: str) -> Event | None:
        row = self._connection.execute(select(audit_events).where(audit_events.c.key == key)).first()
        return None if row is None else record_of(Event, row)

    def events(
        self, *, after: int = 0, kinds: Sequence[str] = (), subject: str | None = None, limit: int | None = None
    ) -> list[Event]:
        query = select(audit_events).where(audit_events.c.seq > after).order_by(audit_events.c.seq)
        if kinds:
            query = query.where(audit_events.c.kind.in_(kinds))
        if subject is not None:
            query = query.where(audit_events.c.subject == subject)
        if limit is not None:
            query = query.limit(limit)
        return [record_of(Event, row) for row in self._connection.execute(query)]

    def last(self) -> Event | None:
        row = self._connection.execute(select(audit_events).order_by(audit_events.c.seq.desc()).limit(1)).first()
        return None if row is None else record_of(Event, row)
