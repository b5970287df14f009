"""homeostat record: what was answered and what turned out true."""

from typing import Annotated

import typer

COMMAND = typer.Typer(help="The record of answers and labels.", no_args_is_help=True)


@COMMAND.callback()
def group() -> None:
    """Keep the one command below a name of its own."""


@COMMAND.command()
def erase(
    key: Annotated[str, typer.Option(help="Whose rows: the key that requests and labels carried.")],
    model: Annotated[str | None, typer.Option(help="Of another model than the project's.")] = None,
) -> None:
    """Remove one subject's answers and labels for good; the audit log keeps how many, not whose.

    Example: homeostat record erase --key customer-7
    """
    from homeostat.app.erasing import erase as erase_rows
    from homeostat.cli.house import here
    from homeostat.cli.output import show

    house = here()
    found = erase_rows(house, key, model=model or house.project.model)
    show(
        found,
        f"{found['predictions']:,} answered rows and {found['labels']:,} labels erased; captured data versions are as they were",
    )
