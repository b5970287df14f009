"""A person says that a change is known: control limits are learned anew from there on, and open incidents are over."""

from dataclasses import replace
from datetime import datetime

from homeostat.audit.log import record
from homeostat.core.ports.store import Store, Transaction


def acknowledge(*, store: Store, model: str, actor: str, now: datetime, since: datetime, reason: str) -> int:
    """Let charts begin again with windows that start at or after `since`; return how many incidents this ends."""
    with store.write() as tx:
        tx.watch.set_state(_name(model), {"since": since.isoformat()})
        ended = [one for one in tx.incidents.recent(model) if one.resolved is None]
        for one in ended:
            tx.incidents.put(replace(one, resolved=now, updated=now))
        record(
            tx,
            "change.acknowledged",
            subject=f"model:{model}",
            actor=actor,
            time=now,
            payload={"since": since.isoformat(), "reason": reason, "incidents": [one.incident_id for one in ended]},
        )
    return len(ended)


def acknowledged_since(tx: Transaction, model: str) -> datetime | None:
    """Return from when on windows count, None for all."""
    found = tx.watch.get_state(_name(model))
    return None if found is None else datetime.fromisoformat(found["since"])


def _name(model: str) -> str:
    return f"acknowledged:{model}"
