"""Cycles by hand: asking for one, and following it."""

import time
from collections.abc import Callable

from homeostat.app.up import is_up
from homeostat.app.wiring import House
from homeostat.core.errors import InvalidInput, Unreachable
from homeostat.core.ids import derived_id
from homeostat.core.records.cycles import Cycle
from homeostat.core.records.events import Event
from homeostat.retrain.requests import ask

_LOOK_S = 0.2


def ask_by_hand(
    house: House,
    *,
    because: str,
    function: str | None = None,
    force: str | None,
    must_be_served: bool,
    version: int | None = None,
) -> tuple[Cycle, bool]:
    """Ask for a cycle and return it with whether a server is up to run it; raise Unreachable where one must be and is not."""
    if force is not None and not force.strip():
        raise InvalidInput("going past the gate needs a reason", hint="--force 'why it must be'")
    is_served = refuse_where_not_served(house, must_be_served=must_be_served)
    now = house.clock.now()
    options = {
        name: value
        for name, value in (("train", function), ("force", force), ("version", version))
        if value is not None
    }
    cycle = ask(
        store=house.store,
        model=house.project.model,
        cycle_id=derived_id("cycle", house.project.model, "manual", now.isoformat()),
        trigger="manual",
        because=because,
        actor=house.actor,
        now=now,
        options=options,
    )
    return cycle, is_served


def refuse_where_not_served(house: House, *, must_be_served: bool) -> bool:
    """Return whether a server is up; raise Unreachable where one must be and is not."""
    is_served = is_up(house.place)
    if must_be_served and not is_served:
        raise Unreachable(
            "no server is up that could run the cycle", hint="start one: `homeostat up`, or leave --wait out"
        )
    return is_served


def follow(
    house: House, cycle_id: str, *, tell: Callable[[str], None], pause: Callable[[float], None] = time.sleep
) -> Cycle:
    """Return the cycle when it is over, and tell of every stage; raise Unreachable where the server goes away meanwhile."""
    stage = ""
    while True:
        with house.store.read() as tx:
            cycle = tx.cycles.get(cycle_id)
        if cycle.stage != stage:
            stage = cycle.stage
            tell(f"{house.clock.now():%H:%M:%S} {stage}{_waits_for(cycle)}")
        if cycle.state.is_over:
            return cycle
        if not is_up(house.place):
            raise Unreachable(
                f"the server stopped; cycle {cycle.cycle_id[:12]} is at '{cycle.stage}' and goes on when one is up",
                hint="`homeostat up`, then `homeostat cycles show " + cycle.cycle_id[:12] + "`",
            )
        pause(_LOOK_S)


def _waits_for(cycle: Cycle) -> str:
    if cycle.stage == "approval":
        return f" (waits for `homeostat cycles approve {cycle.cycle_id[:12]} --by NAME`)"
    return " (waits for requests)" if cycle.stage.startswith(("shadow", "canary")) else ""


def events_of(house: House, cycle_id: str) -> tuple[Cycle, list[Event]]:
    """Return a cycle and what the audit log tells of it."""
    with house.store.read() as tx:
        cycle = tx.cycles.get(cycle_id)
        return cycle, tx.audit.events(subject=f"cycle:{cycle.cycle_id}")
