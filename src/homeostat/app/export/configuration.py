"""The project's homeostat.yaml as it runs in a container: the same, but reachable from outside it."""

from pathlib import Path
from typing import Any

from homeostat.app import yaml_text

_HEAD = """\
# homeostat.yaml as it runs in a container: the same but for serve.host. Written by `homeostat export`: change homeostat.yaml and export again.
"""


def in_a_container(file: Path) -> str:
    """Return the text of the project's file with the doors open to the container's network; who may reach them is the cluster's to say."""
    content: dict[str, Any] = yaml_text.read(file.read_text(encoding="utf-8"))
    serve = content.get("serve") or {}
    content["serve"] = {**serve, "host": "0.0.0.0"}  # noqa: S104 - inside a container, whose ports are published by choice
    return _HEAD + yaml_text.write(content)
