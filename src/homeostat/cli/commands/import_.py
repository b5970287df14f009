"""homeostat import: bring over what another system kept."""

from pathlib import Path
from typing import Annotated

import typer

COMMAND = typer.Typer(help="Bring over what another system kept.", no_args_is_help=True)


@COMMAND.callback()
def import_() -> None:
    """Bring over what another system kept."""


@COMMAND.command()
def mlflow(
    source: Annotated[
        str, typer.Option("--from", help="A server's URL, a SQLite file (or sqlite:///...), or a folder mlruns.")
    ],
    artifacts_root: Annotated[
        Path | None,
        typer.Option(
            help="The folder that mlflow-artifacts:/ stands for in a database; default: mlartifacts beside it."
        ),
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="Where to: a database's URL; default: the project's, else .homeostat.")
    ] = None,
    artifacts: Annotated[
        str | None, typer.Option(help="Where files go; default: the project's, else .homeostat/blobs.")
    ] = None,
) -> int:
    """Bring a whole MLflow store over. It can be stopped and started again; exit code 1 where the counts do not agree.

    Example: homeostat import mlflow --from http://old-server:5000
    """
    from homeostat.app.import_mlflow import Importer, open_source
    from homeostat.cli.output import next_step, say, show, table
    from homeostat.cli.stores import open_here

    target = open_here(database=database, artifacts=artifacts)
    found = open_source(source, artifacts_root=artifacts_root)
    try:
        tally = Importer(
            found,
            store=target.store,
            blobs=target.blobs,
            clock=target.clock,
            actor=target.actor,
            kept=target.model,
            tell=say,
        ).run()
    finally:
        found.close()
    rows = [(name, tally.source[name], tally.here[name]) for name in tally.source]
    text = table(["", "there", "here"], rows)
    verdict = "the counts agree" if tally.agrees else "the counts do NOT agree"
    problems = [f"- {problem}" for problem in tally.problems]
    data = {"source": tally.source, "here": tally.here, "agrees": tally.agrees, "problems": tally.problems}
    show(data, "\n".join([text, verdict, *problems]))
    if not tally.agrees:
        next_step("the same command again, when what is named above is mended")
    return 0 if tally.agrees else 1
