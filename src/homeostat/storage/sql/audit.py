"""The audit log in SQL: the next entry is computed and written inside the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from homeostat.core.chain import GENESIS, digest
from homeostat.core.errors import Conflict
from homeostat.core.records.events import Event
from homeostat.core.values import Json
from homeostat.storage.sql.prepared import Prepared, to_micros
from homeostat.storage.sql.rows import record_of
from homeostat.storage.sql.schema.audit import audit_events
from homeostat.storage.sql.schema.watch import states
from homeostat.storage.sql.types import JsonText

_HEAD = "audit.head"
_as_json = JsonText()
_HEAD_OF_ALL = Prepared(
    lambda _: select(audit_events.c.seq, audit_events.c.digest).order_by(audit_events.c.seq.desc()).limit(1)
)
_COLUMNS = ("seq", "time", "actor", "kind", "subject", "payload", "key", "previous", "digest")
_ADD = Prepared(lambda insert: insert(audit_events).values({name: bindparam(name) for name in _COLUMNS}), *_COLUMNS)


def _set_head(insert: Any) -> Any:
    statement = insert(states).values(name=bindparam("name"), value=bindparam("value"))
    return statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value})


_SET_HEAD = Prepared(_set_head, "name", "value")


class SqlAudit:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._head: tuple[int, str] | None = None  # of this transaction: nobody else can append before it ends

    def append(
        self, kind: str, *, subject: str, actor: str, time: datetime, payload: Json, key: str | None = None
    ) -> Event:
        if key is not None and self.by_key(key) is not None:
            raise Conflict(f"the audit log already has an event with key '{key}'")
        seq, previous = self._head or _HEAD_OF_ALL.run(self._connection).fetchone() or (0, GENESIS)
        seq += 1
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
        body = _as_json.process_bind_param(payload, self._connection.dialect)
        row = (seq, to_micros(time), actor, kind, subject, body, key, previous, event.digest)
        _ADD.run(self._connection, *row)
        _SET_HEAD.run(self._connection, _HEAD, f'{{"digest":"{event.digest}","seq":{seq}}}')
        self._head = (seq, event.digest)
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
