"""homeostat up: everything that keeps the project's model alive, in one process tree."""

from typing import Annotated

import typer


def COMMAND(
    workers: Annotated[int | None, typer.Option(min=1, help="Inference processes; default: serve.workers.")] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="The loop's time is the newest event time seen, for replays of old data.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks of the loop.")] = 2.0,
) -> None:
    """Serve, watch and renew the project's model until Ctrl-C.

    Example: homeostat up --workers 2
    """
    from homeostat.app.checking import check_names
    from homeostat.cli.house import place
    from homeostat.cli.supervising import become

    check_names(place().project)  # here, where libraries may be loaded: what follows replaces this process
    become(workers=workers, replay=replay, every_s=every)
