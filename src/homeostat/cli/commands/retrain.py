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
    from homeostat.app.cycles import ask_by_hand
    from homeostat.cli.asked import tell
    from homeostat.cli.house import here

    house = here()
    cycle, is_served = ask_by_hand(house, because=because, function=function, force=force, must_be_served=wait)
    return tell(house, cycle, wait=wait, is_served=is_served)
