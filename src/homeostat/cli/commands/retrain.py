"""homeostat retrain: a turn of the loop, because somebody wants it."""

from typing import Annotated

import typer


def COMMAND(
    *,
    because: Annotated[str, typer.Option(help="Why; the audit log keeps it.")] = "asked for by hand",
    function: Annotated[
        str | None, typer.Option("--function", "--train", help="module:function instead of the one in homeostat.yaml.")
    ] = None,
    force: Annotated[str | None, typer.Option(help="A reason to go past the gate; the audit log keeps it.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Return when the cycle is over; exit code 1 unless promoted.")
    ] = False,
) -> int:
    """Ask for a cycle: snapshot, train, gate, shadow, canary, promote or roll back. A running `homeostat up` does it.

    Example: homeostat retrain --because 'new prices' --wait
    """
    from homeostat.app.cycles import ask_by_hand, follow
    from homeostat.cli.house import here
    from homeostat.cli.output import next_step, say, show
    from homeostat.cli.told import cycle_text
    from homeostat.core.records.cycles import CycleState

    house = here()
    cycle, is_served = ask_by_hand(house, because=because, function=function, force=force, must_be_served=wait)
    if wait:
        cycle = follow(house, cycle.cycle_id, tell=say)
    show(cycle, cycle_text(cycle))
    if not is_served:
        say("no server is up: the cycle waits for one")
        next_step("homeostat up")
    elif not wait:
        next_step(f"homeostat cycles show {cycle.cycle_id[:12]}")
    return 0 if not wait or cycle.state is CycleState.PROMOTED else 1
