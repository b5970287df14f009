"""How much of a record to read: all of it, or the rows of so many keys (requests where rows have none) that they fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from homeostat.core.ports.record_log import RecordLog


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """Predictions, and labels that may be theirs. `share`: of the keys or requests whose rows these are, 1 for all."""

    predictions: pl.DataFrame
    labels: pl.DataFrame
    share: float


def share_for(records: RecordLog, model: str, *, since: datetime | None, most: int) -> float:
    """Return the share of requests whose rows are about `most`: 1 where there are no more."""
    return min(1.0, most / max(1, records.count("predictions", model, since=since)))


def drawn(
    records: RecordLog, model: str, *, since: datetime | None, most: int, columns: Sequence[str] | None = None
) -> Drawn:
    """Return what was received since then, of predictions about `most` rows and these columns."""
    share = share_for(records, model, since=since, most=most)
    predictions = records.read("predictions", model, since=since, columns=columns, share=share)
    labels = records.read("labels", model, since=since, of=predictions if share < 1 else None)
    return Drawn(predictions=predictions, labels=labels, share=share)
