"""homeostat runs: what was tried."""

from typing import Annotated

import typer

COMMAND = typer.Typer(
    help="Training runs: what was tried, with which data, code and environment.", no_args_is_help=True
)


@COMMAND.command("list")
def list_(limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20) -> None:
    """Show runs, newest first.

    Example: homeostat runs list
    """
    from homeostat.cli.house import here
    from homeostat.cli.output import next_step, show, table

    house = here()
    with house.store.read() as tx:
        found = tx.runs.recent(experiment=house.project.model, limit=limit)
    names = list(dict.fromkeys(name for run in found for name in run.metrics if name.startswith("test_")))[:4]
    rows = [
        (
            r.run_id[:12],
            r.started,
            r.status,
            r.facts.get("dataset_version"),
            *(r.metrics.get(name) for name in names),
            f"refit of {r.facts['refit_of'][:12]}" if "refit_of" in r.facts else "",
        )
        for r in found
    ]
    show(found, table(["run", "started (UTC)", "status", "data", *names, ""], rows) if rows else "no run yet")
    if not rows:
        next_step("homeostat train")


@COMMAND.command("show")
def show_(
    run: Annotated[str, typer.Argument(help="A run's id, or its first digits.")],
    *,
    log: Annotated[bool, typer.Option("--log", help="The whole output of the training too.")] = False,
) -> None:
    """Show one run: metrics, parameters, and all that makes it reproducible; of a failed one, why.

    Example: homeostat runs show 298124f8bf89 --log
    """
    from homeostat.app.making import log_of
    from homeostat.cli.house import here
    from homeostat.cli.output import show
    from homeostat.cli.told import run_text

    house = here()
    with house.store.read() as tx:
        found = tx.runs.get(run)
    output = log_of(house, found)
    show({"run": found, "log": output}, run_text(found, output, whole_log=log))


@COMMAND.command()
def reproduce(run: Annotated[str, typer.Argument(help="A run's id, or its first digits.")]) -> int:
    """Train again from what the run recorded; exit code 1 where the predictions differ.

    Example: homeostat runs reproduce 298124f8bf89
    """
    from homeostat.app.making import reproduce_run
    from homeostat.cli.house import here
    from homeostat.cli.output import busy, show

    house = here()
    with busy("training again"):
        found = reproduce_run(house, run)
    word = "agree" if found.agrees else "DIFFER"
    lines = [
        f"the predictions {word} (largest difference {found.max_difference:.3g})",
        *(f"- {r}" for r in found.reasons),
    ]
    show(found, "\n".join(lines))
    return 0 if found.agrees else 1
