"""Taking rows out of the record for good: those of one subject, and those that are too old."""

import logging
import time
from datetime import timedelta

from homeostat.app import record_key
from homeostat.app.wiring import House
from homeostat.audit.log import record
from homeostat.core.errors import Conflict
from homeostat.serve.recording import hashed

log = logging.getLogger(__name__)
_PAUSE_S = 1.0


def erase(house: House, key: str, *, model: str, wait: timedelta = timedelta(seconds=90)) -> dict[str, int]:
    """Remove a key's rows and labels, and tell the audit log how many, but not whose. Waits for servers to close what they are writing.

    Those that were recorded under its hash (`record.hash`) go, and those from before there was one.
    Data versions that were captured from these rows before, and models trained on them, are not touched.
    """
    secret = record_key.find(house.place.state)
    keys = [key] if secret is None else [key, hashed(key, secret)]
    until = time.monotonic() + wait.total_seconds()
    while True:
        try:
            found = house.records.erase(model, keys)
            break
        except Conflict:
            if time.monotonic() >= until:
                raise
            time.sleep(_PAUSE_S)
    _tell(house, "record.erased", model, dict(found))
    return found


def drop_old(house: House, *, model: str) -> dict[str, int]:
    """Remove what `record.keep` says is too old, by whole days (UTC), and tell the audit log where something was."""
    keep = house.project.record.keep
    if keep is None:
        return {}
    day = (house.clock.now() - keep).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        found = house.records.drop_before(model, day)
    except Conflict as error:
        log.info("record.not_dropped", extra={"model": model, "why": error.message})  # the next compaction tries again
        return {}
    if any(found.values()):
        _tell(house, "record.expired", model, {**found, "received_before": day.isoformat()})
    return found


def _tell(house: House, kind: str, model: str, payload: dict[str, object]) -> None:
    with house.store.write() as tx:
        record(tx, kind, subject=f"model:{model}", actor=house.actor, time=house.clock.now(), payload=payload)
