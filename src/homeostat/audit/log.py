"""Writing and reading the audit log."""

from datetime import datetime

from homeostat.core.chain import first_bad
from homeostat.core.errors import AuditBroken
from homeostat.core.ports.store import Store, Transaction
from homeostat.core.records.events import Event
from homeostat.core.values import Json

_PAGE = 1000


def record(
    tx: Transaction,
    kind: str,
    *,
    subject: str,
    actor: str,
    time: datetime,
    payload: Json | None = None,
    key: str | None = None,
) -> Event:
    """Append an event to the chain, in the same transaction as the change of state that it tells of.

    With a `key` that was used before, return that first event and write nothing: a retried step leaves one event.
    """
    if key is not None and (known := tx.audit.by_key(key)) is not None:
        return known
    return tx.audit.append(kind, subject=subject, actor=actor, time=time, payload=payload or {}, key=key)


def verify(store: Store) -> int:
    """Return the number of entries where the whole chain verifies; raise AuditBroken naming the first bad one."""
    last: Event | None = None
    with store.read() as tx:
        while page := tx.audit.events(after=last.seq if last else 0, limit=_PAGE):
            bad = first_bad(page, after=last)
            if bad is not None:
                raise AuditBroken(
                    f"the audit log is broken at entry {bad[0]}: {bad[1]}",
                    hint="restore the database from a backup; entries before it are sound",
                )
            last = page[-1]
        head = tx.audit.head()
    found = (last.seq, last.digest) if last else None
    if found != head:
        at = (last.seq if last else 0) + 1
        raise AuditBroken(
            f"the audit log is broken at entry {at}: entries from {at} to {head[0] if head else 0} are missing at its end",
            hint="restore the database from a backup; entries before it are sound",
        )
    return last.seq if last else 0
