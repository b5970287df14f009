"""homeostat watch: what was seen in the windows of production."""

from typing import Annotated

import typer

COMMAND = typer.Typer(help="Windows of production: performance, drift, data quality.", no_args_is_help=True)


@COMMAND.command("show")
def show_(
    *,
    last: Annotated[int, typer.Option(min=1, help="How many windows.")] = 10,
    check: Annotated[bool, typer.Option("--check", help="Exit code 1 where the newest window alarms.")] = False,
) -> int:
    """Show the newest windows with their numbers, and the newest one column by column."""
    from homeostat.cli.house import here
    from homeostat.cli.output import show
    from homeostat.cli.told import windows_text

    house = here()
    with house.store.read() as tx:
        found = tx.watch.verdicts(house.project.model, limit=last)
    show(found, windows_text(found))
    return 1 if check and found and found[-1].state == "alarm" else 0
