"""homeostat init: from data to a project that runs."""

from pathlib import Path
from typing import Annotated

import typer


def COMMAND(
    source: Annotated[
        str, typer.Argument(help="A CSV or Parquet file, a glob, a Delta table's folder, or a database URL.")
    ],
    *,
    target: Annotated[str, typer.Option(help="The column to predict.")],
    time: Annotated[str | None, typer.Option(help="The column that says when a row happened; default: found.")] = None,
    model: Annotated[str | None, typer.Option(help="The model's name; default: the source's.")] = None,
    query: Annotated[str | None, typer.Option(help="What to ask a database for: SELECT ...")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a homeostat.yaml that is there.")] = False,
) -> None:
    """Look at the data and write a commented homeostat.yaml that runs as it is.

    Example: homeostat init sales.parquet --target sold
    """
    from homeostat.app.explained import builtins
    from homeostat.app.init import draft, refuse_existing, write
    from homeostat.cli.output import next_step, show

    root = Path.cwd()
    refuse_existing(root, force=force)
    made = draft(source, target=target, time=time, root=root, query=query, model=model)
    path = write(made, root, force=force)
    told = [*made.lines, ("wrote", str(path.name))]
    show(
        {
            "file": str(path),
            "rows": made.rows,
            "features": made.features,
            "notes": made.notes,
            "project": builtins(made.project),
        },
        "\n".join(f"{heading:<11} {words}" for heading, words in told),
    )
    next_step("homeostat train      (make a first model and judge it; `homeostat backtest` replays your history)")
