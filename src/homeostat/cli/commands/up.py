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
    """Serve, watch and renew the project's model until Ctrl-C."""
    from homeostat.cli.supervising import become

    become(workers=workers, replay=replay, every_s=every)
