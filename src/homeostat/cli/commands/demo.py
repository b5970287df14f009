"""homeostat demo: the whole loop on a year of real flights, in a few minutes."""

from pathlib import Path
from typing import Annotated

import typer


def COMMAND(
    *,
    out: Annotated[Path, typer.Option(help="A folder for the demo's projects and its report.")] = Path("demo-out"),
    part: Annotated[
        list[int] | None, typer.Option(min=1, max=2, help="Only this part (1, 2); may be given again.")
    ] = None,
) -> None:
    """Show a model decay, be noticed, be replaced by a better one, and be protected from a worse one.

    Example: homeostat demo
    """
    from homeostat.cli.output import show
    from homeostat.demo.story import play, summary

    told = play(out.resolve(), parts=tuple(part or (1, 2)))
    show(
        {
            "seconds": told.seconds,
            "report": told.report,
            "policies": {p.policy: {**p.metrics, "retrainings": p.retrainings} for p in told.backtest.policies}
            if told.backtest
            else None,
            "live": {
                "requests": told.story.tally.requests,
                "failed": told.story.tally.failed,
                "alert": told.story.alert,
            }
            if told.story
            else None,
        },
        summary(told),
    )
