"""homeostat drift: two tables held against each other; no project is needed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from homeostat.watch.settings import DriftSettings

Prediction = Annotated[str | None, typer.Option(help="The column with a model's answers, classes or numbers.")]
Score = Annotated[
    str | None, typer.Option(help="The column with the probability of the positive class, or of the answer.")
]
Label = Annotated[str | None, typer.Option(help="The column with what turned out true.")]
Positive = Annotated[str | None, typer.Option(metavar="CLASS", help="The class that --score is the probability of.")]

COMMAND = typer.Typer(help="Two tables held against each other, column by column.", no_args_is_help=True)


@COMMAND.command()
def report(
    reference: Annotated[
        str, typer.Argument(help="What it was like: CSV, Parquet, a glob, or a kept profile (.json).")
    ],
    current: Annotated[str, typer.Argument(help="What it is like now.")],
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The HTML page to write.")] = None,
    method: Annotated[
        list[str] | None, typer.Option(help="A drift method, more than once for more; default: by kind of column.")
    ] = None,
    threshold: Annotated[
        list[str] | None, typer.Option(metavar="METHOD=LIMIT", help="From where a method alarms; it warns from half.")
    ] = None,
    prediction: Prediction = None,
    score: Score = None,
    label: Label = None,
    positive: Positive = None,
    alpha: Annotated[float, typer.Option(help="Chance, adjusted over columns, below which a move counts.")] = 0.01,
    min_rows: Annotated[int, typer.Option(min=2, help="Values on both sides, below which nothing is said.")] = 100,
    by: Annotated[
        Literal["auto", "rows", "profiles"], typer.Option(help="Compare all rows, or profiles; auto: rows that fit.")
    ] = "auto",
    on: Annotated[str, typer.Option(help="Where profiles are computed: here, or ray.")] = "here",
    fail_on: Annotated[Literal["warn", "alarm"], typer.Option(help="From which state the exit code is 1.")] = "alarm",
) -> int:
    """Say which columns moved, how far and whether by chance; exit code 1 where one alarms.

    Example: homeostat drift report last_year.parquet this_month.csv -o report.html
    """
    from homeostat.app.drifting import drift_report
    from homeostat.cli.compared import comparison_text
    from homeostat.cli.counting import counting
    from homeostat.cli.output import next_step, show
    from homeostat.watch.comparison.roles import Named

    settings = _settings(method, threshold, alpha=alpha, min_rows=min_rows)
    named = Named(prediction=prediction, score=score, label=label, positive=positive)
    with counting("comparing", of="") as tell:
        found = drift_report(
            reference, current, root=Path.cwd(), output=output, settings=settings, named=named, by=by, on=on, tell=tell
        )
    show(found.to_json(), comparison_text(found))
    if output is None:
        next_step(f"homeostat drift report {reference} {current} -o report.html")
    return 1 if found.state == "alarm" or (fail_on == "warn" and found.state == "warn") else 0


@COMMAND.command()
def profile(
    source: Annotated[str, typer.Argument(help="CSV or Parquet files: a path or a glob, of any size.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The profile to write (.json).")],
    like: Annotated[
        str | None, typer.Option(help="The reference's profile, whose bins make the two comparable.")
    ] = None,
    prediction: Prediction = None,
    score: Score = None,
    label: Label = None,
    positive: Positive = None,
    on: Annotated[str, typer.Option(help="Where to compute: here, or ray.")] = "here",
) -> None:
    """Keep a table as a profile of bounded size, which `drift report` takes instead of the table.

    Example: homeostat drift profile last_year.parquet -o reference.json
    """
    from homeostat.app.drifting import drift_profile
    from homeostat.cli.counting import counting
    from homeostat.cli.output import next_step, show
    from homeostat.watch.comparison.roles import Named

    named = Named(prediction=prediction, score=score, label=label, positive=positive)
    with counting("profiling") as tell:
        found = drift_profile(source, root=Path.cwd(), output=output, like=like, named=named, on=on, tell=tell)
    told = {"rows": found.rows, "columns": found.kinds, "output": str(output)}
    show(told, f"{found.rows:,} rows of {len(found.columns)} columns: {output}")
    if like is None:
        next_step(f"homeostat drift profile CURRENT -o current.json --like {output}")


def _settings(
    methods: list[str] | None, thresholds: list[str] | None, *, alpha: float, min_rows: int
) -> "DriftSettings":
    from homeostat.core.errors import InvalidInput
    from homeostat.watch.settings import DriftSettings

    if not 0 < alpha < 1:
        raise InvalidInput(f"--alpha is a chance between 0 and 1, not {alpha:g}", hint="0.01 is the default")
    limits = {}
    for given in thresholds or ():
        name, _, limit = given.partition("=")
        try:
            limits[name] = float(limit)
        except ValueError as error:
            raise InvalidInput(f"'{given}' is no threshold", hint="write it as wasserstein=0.3") from error
        if not limits[name] > 0:
            raise InvalidInput(f"'{given}': a threshold is above 0", hint="write it as wasserstein=0.3")
    return DriftSettings(methods=methods or None, thresholds=limits, alpha=alpha, min_rows=min_rows)
