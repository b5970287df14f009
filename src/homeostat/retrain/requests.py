"""Asking for a cycle, deciding on it and calling it off. What is asked stands in the store, so that no crash forgets it."""

from dataclasses import replace
from datetime import datetime

from homeostat.audit.log import record
from homeostat.core.errors import Conflict, InvalidInput
from homeostat.core.ports.store import Store
from homeostat.core.records.cycles import Cycle, CycleState
from homeostat.core.records.events import Event
from homeostat.core.values import Json
from homeostat.retrain.cycle import CycleRequest


def ask(
    *,
    store: Store,
    model: str,
    cycle_id: str,
    trigger: str,
    because: str,
    actor: str,
    now: datetime,
    loop_time: datetime | None = None,
    options: Json | None = None,
) -> Cycle:
    """Note that a cycle is to run and return it; the same id again returns the first. One at a time: Conflict while another runs.

    `loop_time` is what time it is for the loop where that is not `now` (a replay of old data): cool-downs count in it.
    """
    with store.write() as tx:
        known = tx.cycles.find(cycle_id)
        if known is not None:
            return known
        other = tx.cycles.running(model)
        if other is not None:
            raise Conflict(
                f"cycle {other.cycle_id[:12]} of '{model}' is still running ({other.stage})",
                hint=f"wait for it, or `homeostat cycles cancel {other.cycle_id[:12]}`",
            )
        cycle = Cycle(
            cycle_id=cycle_id,
            model=model,
            trigger=trigger,
            because=because,
            started=now,
            stage="requested",
            options={**(options or {}), "loop_time": (loop_time or now).isoformat()},
        )
        tx.cycles.put(cycle)
        record(
            tx,
            "cycle.requested",
            subject=f"cycle:{cycle_id}",
            actor=actor,
            time=now,
            payload={"model": model, "trigger": trigger, "because": because, "options": options or {}},
            key=f"{cycle_id}:requested",
        )
    return cycle


def request_of(cycle: Cycle) -> CycleRequest:
    """Return the request that a stored cycle stands for."""
    return CycleRequest(
        cycle_id=cycle.cycle_id,
        model=cycle.model,
        trigger=cycle.trigger,
        because=cycle.because,
        options=cycle.options,
    )


def loop_time(cycle: Cycle) -> datetime:
    """Return when the cycle was asked for, in the loop's time."""
    told = cycle.options.get("loop_time")
    return datetime.fromisoformat(told) if told else cycle.started


def approve(*, store: Store, cycle_id: str, approved: bool, actor: str, now: datetime, reason: str = "") -> Event:
    """Note a person's word on a cycle that waits for one; the first word counts."""
    with store.write() as tx:
        cycle = tx.cycles.get(cycle_id)
        if cycle.state is not CycleState.RUNNING or cycle.stage != "approval":
            raise Conflict(
                f"cycle {cycle.cycle_id[:12]} does not wait for approval: it is {cycle.state.value} ({cycle.stage})",
                hint="`homeostat cycles list` shows which do",
            )
        if not actor:
            raise InvalidInput("an approval needs a name")
        return record(
            tx,
            "cycle.approved" if approved else "cycle.refused",
            subject=f"cycle:{cycle.cycle_id}",
            actor=actor,
            time=now,
            payload={"version": cycle.version, "reason": reason},
            key=f"{cycle.cycle_id}:approval",
        )


def cancel(*, store: Store, cycle_id: str, actor: str, now: datetime, reason: str) -> Cycle:
    """Ask a running cycle to stop; its version is taken out of traffic at the next look."""
    with store.write() as tx:
        cycle = tx.cycles.get(cycle_id)
        if cycle.state.is_over:
            raise Conflict(f"cycle {cycle.cycle_id[:12]} is over already: {cycle.state.value}")
        cancelled = replace(cycle, options={**cycle.options, "cancel": f"{actor}: {reason}"})
        tx.cycles.put(cancelled)
        record(
            tx,
            "cycle.cancel_asked",
            subject=f"cycle:{cycle.cycle_id}",
            actor=actor,
            time=now,
            payload={"reason": reason},
            key=f"{cycle.cycle_id}:cancel",
        )
    return cancelled
