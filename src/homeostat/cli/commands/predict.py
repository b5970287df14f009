"""homeostat predict: files of any size through a version."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def COMMAND(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A CSV or Parquet file, or a glob of them.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The Parquet file to write.")],
    model: Annotated[
        str, typer.Option(metavar="NAME[@ALIAS|@VERSION]", help="As in churn@champion, @3.")
    ] = "@champion",
    on_bad: Annotated[
        Literal["fail", "skip"], typer.Option(help="Stop at a row that does not fit, or set it aside.")
    ] = "fail",
    on: Annotated[str, typer.Option(help="Where to compute: here, or ray.")] = "here",
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew instead of going on with an interrupted run.")
    ] = False,
) -> None:
    """Answer every row of the input with a version, in constant memory; run it again after an interruption to go on.

    Example: homeostat predict new.csv --model sales@champion -o answers.parquet
    """
    from homeostat.app.predicting import predict_files
    from homeostat.cli.counting import counting
    from homeostat.cli.house import here
    from homeostat.cli.output import show

    with counting("predicting") as tell:
        done = predict_files(
            here(),
            source,
            root=Path.cwd(),
            model=model,
            output=output,
            on_bad=on_bad,
            on=on,
            restart=restart,
            tell=tell,
        )
    aside = f"; {done.rejected:,} set aside in {done.rejects}" if done.rejected else ""
    show(done, f"{done.rows:,} rows answered by {done.model} version {done.version}: {done.output}{aside}")
