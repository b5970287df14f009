"""Situations to decide about."""

from datetime import UTC, datetime, timedelta

from homeostat.core.records.cycles import Cycle, CycleState
from homeostat.core.records.events import Event
from homeostat.retrain.triggers import Champion, Situation

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def cycle(number: int, state: CycleState, *, ago: timedelta, run_id: str | None = "r") -> Cycle:
    return Cycle(
        cycle_id=f"c{number}",
        model="flights",
        trigger="performance",
        because="worse",
        started=NOW - ago,
        state=state,
        run_id=run_id,
    )


def event(kind: str, *, seq: int = 1, **payload) -> Event:
    return Event(
        seq=seq,
        time=NOW - DAY,
        actor="watch",
        kind=kind,
        subject="model:flights",
        payload=payload,
        key=None,
        previous="",
        digest="",
    )


def situation(**changes) -> Situation:
    given = {
        "model": "flights",
        "now": NOW,
        "champion": Champion(version=3, trained_at=NOW - 10 * DAY, as_of=NOW - 10 * DAY, rows=1000),
    }
    return Situation(**(given | changes))
