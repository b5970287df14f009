"""homeostat labels: what turned out true."""

from pathlib import Path
from typing import Annotated

import typer


def COMMAND(
    file: Annotated[str, typer.Argument(help="Columns value and request_id (and row), or value and key; maybe time.")],
) -> None:
    """Send labels from a file to the running server; the same file again changes nothing.

    Example: homeostat labels labels.csv
    """
    from homeostat.app.labels import send_labels
    from homeostat.cli.house import here
    from homeostat.cli.output import next_step, show

    taken, unsampled = send_labels(here(), file, root=Path.cwd())
    told = f"; {unsampled:,} left out, whose answers were not recorded (record.sample)" if unsampled else ""
    show({"accepted": taken, "unsampled": unsampled}, f"{taken:,} labels taken{told}")
    next_step("homeostat watch show")
