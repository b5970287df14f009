"""homeostat export: files that bring the project to a container or a cluster."""

from pathlib import Path
from typing import Annotated

import typer


def COMMAND(
    target: Annotated[
        str,
        typer.Argument(
            metavar="docker|kubernetes|kserve|grafana", help="Where the project is to run, or be looked at."
        ),
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The folder, in the project; default: deploy/TARGET.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="The name that the built image is pushed under; default: MODEL:VERSION.")
    ] = None,
) -> None:
    """Write a Dockerfile, Kubernetes manifests, a KServe InferenceService or a Grafana dashboard for the project.

    Example: homeostat export kubernetes --image registry.example.org/churn:3
    """
    from homeostat.app.exporting import export
    from homeostat.cli.house import place
    from homeostat.cli.output import next_step, show

    files, command = export(place(), target, folder=output, image=image)
    show({"files": [str(file) for file in files], "next": command}, "\n".join(str(file) for file in files))
    next_step(command)
