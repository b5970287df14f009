"""homeostat tracking: the server that `mlflow` clients log to, alone, without a project."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def COMMAND(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on.")] = 5000,
    database: Annotated[
        str | None,
        typer.Option(help="sqlite:///file.db or postgresql+psycopg://...; default: .homeostat/homeostat.db."),
    ] = None,
    artifacts: Annotated[str | None, typer.Option(help="Where files are kept; default: .homeostat/blobs.")] = None,
) -> None:
    """Serve experiments, runs and models to `mlflow` clients until Ctrl-C: one process, no loop, no project needed.

    Example: homeostat tracking --port 5000
    """
    from homeostat.app.supervisor import free_port
    from homeostat.app.wiring import ARTIFACTS_VARIABLE, DATABASE_VARIABLE
    from homeostat.cli.output import next_step, say

    state = Path(".homeostat").resolve()
    state.mkdir(exist_ok=True, mode=0o700)
    url = database or os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{state / 'homeostat.db'}"
    folder = artifacts or os.environ.get(ARTIFACTS_VARIABLE) or str(state / "blobs")
    free_port(host, port)
    say(f"tracking server at http://{host}:{port}; stop with Ctrl-C")
    next_step(f"export MLFLOW_TRACKING_URI=http://{host}:{port}")
    options = ["--host", host, "--port", str(port), "--database", url, "--artifacts", folder]
    os.execv(sys.executable, [sys.executable, "-m", "homeostat.web.tracking", *options])  # noqa: S606 - this very process, on
