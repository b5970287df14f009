"""What is said of a cycle that a command has asked for."""

from homeostat.app.cycles import follow
from homeostat.app.wiring import House
from homeostat.cli.output import next_step, say, show
from homeostat.cli.told import cycle_text
from homeostat.core.records.cycles import Cycle, CycleState


def tell(house: House, cycle: Cycle, *, wait: bool, is_served: bool) -> int:
    """Show the cycle, when it is over where that is waited for, and what to do next; return the exit status."""
    if wait:
        cycle = follow(house, cycle.cycle_id, tell=say)
    show(cycle, cycle_text(cycle))
    if not is_served:
        say("no server is up: the cycle waits for one")
        next_step("homeostat up")
    elif not wait:
        next_step(f"homeostat cycles show {cycle.cycle_id[:12]}")
    return 0 if not wait or cycle.state is CycleState.PROMOTED else 1
