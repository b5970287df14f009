"""homeostat check: the gate as a command, for CI."""

from pathlib import Path
from typing import Annotated

import typer


def COMMAND(
    run: Annotated[str | None, typer.Argument(help="Judge this run again; default: train a candidate now.")] = None,
    *,
    report: Annotated[Path | None, typer.Option(help="Write the report as Markdown to this file.")] = None,
    function: Annotated[str | None, typer.Option(help="module:function instead of the one in homeostat.yaml.")] = None,
) -> int:
    """Judge a candidate by the project's gate: exit code 0 where it passed, 1 where it did not. Nothing is registered.

    Example: homeostat check --report gate.md
    """
    from homeostat.app.making import judge_again, judge_new, refuse_unwritable, write_text
    from homeostat.cli.house import here
    from homeostat.cli.judged import as_json, as_text, suite_of
    from homeostat.cli.output import busy, show
    from homeostat.gate.report import as_markdown

    house = here()
    if report is not None:
        refuse_unwritable(report)
    with busy(f"judging {house.project.model}"):
        made = judge_again(house, run) if run else judge_new(house, function=function)
    if report is not None:
        write_text(report, as_markdown(suite_of(made.report)))
    show(as_json(made), as_text(made))
    return 0 if made.report.passed else 1
