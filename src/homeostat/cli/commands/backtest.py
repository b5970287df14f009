"""homeostat backtest: how the policy would have done over the history."""

from pathlib import Path
from typing import Annotated

import typer


def COMMAND(
    *,
    report: Annotated[Path, typer.Option(help="Where the report goes, as one HTML page.")] = Path(
        "homeostat-backtest.html"
    ),
    policies: Annotated[
        str,
        typer.Option(
            help="What to compare, with commas: policy (the project's own), never, always, every_5 (or another number), adwin, stack, "
            "triggers. Default: policy, never, always, every_5."
        ),
    ] = "",
    history: Annotated[str | None, typer.Option(help="What is history at the start: 60d, or a number of rows.")] = None,
    step: Annotated[
        str | None, typer.Option(help="Length of a step: 7d, or a number of rows; default: the watch window.")
    ] = None,
    change_points: Annotated[
        str,
        typer.Option(
            help="Known changes, with commas: times (2024-03-01), or numbers of rows before each. Tells delays and false alarms."
        ),
    ] = "",
    price_error: Annotated[
        float | None, typer.Option(help="What a wrong label costs, or one unit of absolute error.")
    ] = None,
    price_retraining: Annotated[float | None, typer.Option(help="What a training costs, rejected ones too.")] = None,
    tolerance: Annotated[
        float, typer.Option(help="How far from the best the recommended policy may be, as a share of the best.")
    ] = 0.02,
    fresh: Annotated[bool, typer.Option("--fresh", help="Replay again what was replayed before.")] = False,
) -> None:
    """Replay the project's history under its policy, beside never and always retraining; in simulated time.

    Example: homeostat backtest --history 60d --step 7d --policies policy,never
    """
    from homeostat.app.backtest import backtest_project
    from homeostat.app.making import refuse_unwritable, write_text
    from homeostat.cli.house import here
    from homeostat.cli.output import next_step, say, show
    from homeostat.cli.replayed import following, policies_text
    from homeostat.retrain.comparison import Terms
    from homeostat.retrain.report import as_html

    terms = Terms(
        tolerance=tolerance,
        price_error=price_error,
        price_retraining=price_retraining,
        change_points=tuple(point for point in change_points.split(",") if point.strip()),
    )
    house = here()
    refuse_unwritable(report)
    with following() as progress:
        found = backtest_project(
            house,
            policies=[name for name in policies.split(",") if name.strip()],
            history=history,
            step=step,
            terms=terms,
            is_fresh=fresh,
            progress=progress,
        )
    write_text(report, as_html(found))
    show(found.to_json(), policies_text(found))
    say(f"wrote {report}")
    next_step("homeostat up")
