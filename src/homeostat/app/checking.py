"""Whether a project and its data fit together."""

from collections.abc import Iterable
from typing import Any

from homeostat.app.project import FILE, Place
from homeostat.core.errors import InvalidInput, near


def check_project(place: Place) -> dict[str, Any]:
    """Return what was checked; raise InvalidInput naming the key in homeostat.yaml whose column, metric, method or check is not there."""
    from homeostat.data.sources import read
    from homeostat.gate.checks import CHECKS
    from homeostat.track.metrics import METRICS
    from homeostat.watch.methods import METHODS

    project = place.project
    data, watch, gate = project.data, project.watch, project.gate
    frame = read(data.source, query=data.query, root=place.root)
    named = {
        "data.target": [data.target],
        "data.time": [data.time] if data.time else [],
        "data.key": data.key,
        "data.exclude": data.exclude,
        "data.columns": list(data.columns),
        "data.contract.columns": list(data.contract.columns),
        "gate.slices.columns": gate.slices.columns,
        "gate.slices.protected": gate.slices.protected,
        "watch.groups.slices": watch.groups.slices,
        "watch.groups.protected": watch.groups.protected,
    }
    for key, names in named.items():
        for name in names:
            if name not in frame.columns:
                raise InvalidInput(
                    f"{FILE}: {key}: {data.source} has no column '{name}'", hint=near(name, frame.columns)
                )
    fitting = [name for name, one in METRICS.items() if project.task in one.tasks]
    known: dict[str, tuple[str, Iterable[str], Iterable[str | None]]] = {
        "gate.metrics": (f"metric of a {project.task.value} task", fitting, gate.metrics),
        "gate.champion.metric": (f"metric of a {project.task.value} task", fitting, [gate.champion.metric]),
        "gate.slices.metric": (f"metric of a {project.task.value} task", fitting, [gate.slices.metric]),
        "watch.metric": (f"metric of a {project.task.value} task", fitting, [watch.metric]),
        "gate.skip": ("check", CHECKS, gate.skip),
        "watch.drift.methods": ("drift method", METHODS, watch.drift.methods or []),
        "watch.drift.thresholds": ("drift method", METHODS, watch.drift.thresholds),
    }
    for key, (what, there, wanted) in known.items():
        for unknown in (one for one in wanted if one is not None and one not in there):
            raise InvalidInput(f"{FILE}: {key}: there is no {what} '{unknown}'", hint=near(unknown, there))
    return {"file": FILE, "source": data.source, "rows": frame.height, "columns": frame.width, "model": project.model}
