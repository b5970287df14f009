"""How much of a record to read: all of it, or the rows of so many of its requests that they fit."""

from datetime import datetime

from homeostat.core.ports.record_log import RecordLog


def share_for(records: RecordLog, model: str, *, since: datetime | None, most: int) -> float:
    """Return the share of requests whose rows are about `most`: 1 where there are no more."""
    return min(1.0, most / max(1, records.count("predictions", model, since=since)))
