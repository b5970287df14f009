"""homeostat gate: what was proved, and what was not."""

from pathlib import Path
from typing import Annotated

import typer

COMMAND = typer.Typer(help="Reports of the gate.", no_args_is_help=True)


@COMMAND.command("list")
def list_(limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20) -> None:
    """Show the reports, newest first.

    Example: homeostat gate list
    """
    from homeostat.cli.house import here
    from homeostat.cli.output import next_step, show, table

    house = here()
    with house.store.read() as tx:
        found = tx.models.reports(house.project.model, limit=limit)
    rows = [
        (r.report_id[:12], r.created, r.run_id[:12], "passed" if r.passed else "FAILED", r.body.get("summary"))
        for r in found
    ]
    show(
        [{"report_id": r.report_id, "created": r.created, "run_id": r.run_id, "passed": r.passed} for r in found],
        table(["report", "judged (UTC)", "run", "gate", "summary"], rows) if rows else "nothing was judged yet",
    )
    if not rows:
        next_step("homeostat check")


@COMMAND.command("show")
def show_(
    report: Annotated[str, typer.Argument(help="A report's id, or its first digits; default: the newest.")] = "",
    *,
    html: Annotated[Path | None, typer.Option(help="Write it as a page to this file.")] = None,
) -> None:
    """Show one report: every check with value, limit, interval and reason.

    Example: homeostat gate show --html gate.html
    """
    from homeostat.app.making import report_of, write_text
    from homeostat.cli.house import here
    from homeostat.cli.judged import drawn_report, suite_of
    from homeostat.cli.output import say, show
    from homeostat.gate.report import as_html

    found = report_of(here(), report)
    show(
        {"report_id": found.report_id, "run_id": found.run_id, "created": found.created, **found.body},
        drawn_report(found),
    )
    if html is not None:
        write_text(html, as_html(suite_of(found)))
        say(f"wrote {html}")
