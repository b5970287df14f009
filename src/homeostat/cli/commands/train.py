"""homeostat train: a candidate, made and judged."""

from typing import Annotated

import typer


def COMMAND(
    *,
    function: Annotated[str | None, typer.Option(help="module:function instead of the one in homeostat.yaml.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Train even where nothing has changed.")] = False,
) -> int:
    """Train on the newest data, judge, and register what passed; no traffic. Exit code 1 where the gate stops it.

    Example: homeostat train --function model:train
    """
    from homeostat.app.making import make
    from homeostat.cli.house import here
    from homeostat.cli.judged import as_json, as_text, say_next
    from homeostat.cli.output import busy, show

    house = here()
    with busy(f"training and judging {house.project.model}"):
        made = make(house, function=function, use_cache=not no_cache)
    show(as_json(made), as_text(made))
    say_next(house, made)
    return 0 if made.report.passed else 1
