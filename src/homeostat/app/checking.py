"""Whether a project and its data fit together."""

from typing import Any

from homeostat.app.project import FILE, Place
from homeostat.core.errors import InvalidInput, near


def check_project(place: Place) -> dict[str, Any]:
    """Return what was checked; raise InvalidInput naming the key in homeostat.yaml whose column, function or check is not there."""
    from homeostat.data.sources import read
    from homeostat.gate.checks import CHECKS
    from homeostat.track.metrics import metric

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
    }
    for key, names in named.items():
        for name in names:
            if name not in frame.columns:
                raise InvalidInput(
                    f"{FILE}: {key}: {data.source} has no column '{name}'", hint=near(name, frame.columns)
                )
    for name in [*gate.metrics, *(one for one in (watch.metric, gate.champion.metric, gate.slices.metric) if one)]:
        metric(name)
    for name in gate.skip:
        if name not in CHECKS:
            raise InvalidInput(f"{FILE}: gate.skip: there is no check '{name}'", hint=near(name, CHECKS))
    return {"file": FILE, "source": data.source, "rows": frame.height, "columns": frame.width, "model": project.model}
