"""Whether a project and its data fit together, and whether what it names is there."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from homeostat.app.project import FILE, Place
from homeostat.core.errors import InvalidInput, near
from homeostat.retrain.project import Project
from homeostat.watch.settings import WatchSettings

if TYPE_CHECKING:
    import polars as pl

# the key in homeostat.yaml, what stands there, which names there are, and which are named
Names = tuple[str, str, Iterable[str], Iterable[str]]


def check_project(place: Place) -> dict[str, Any]:
    """Return what was checked; raise InvalidInput naming the key in homeostat.yaml whose column, metric, method, check or file is not there."""
    project = place.project
    check_names(project)
    _check_function(place)
    frame = _rows(place)
    for key, names in _named_columns(project):
        for name in (one for one in names if one not in frame.columns):
            raise InvalidInput(
                f"{FILE}: {key}: {project.data.source} has no column '{name}'", hint=near(name, frame.columns)
            )
    return {
        "file": FILE,
        "source": project.data.source,
        "rows": frame.height,
        "columns": frame.width,
        "model": project.model,
    }


def check_names(project: Project) -> None:
    """Raise InvalidInput naming the key in homeostat.yaml that names a metric, check, method, detector or estimator that is not there.

    Reads no data, and imports nothing where only defaults are named: it can stand before whatever takes long or runs for long.
    """
    for key, what, there, wanted in _named_parts(project):
        for unknown in (one for one in wanted if one not in there):
            raise InvalidInput(f"{FILE}: {key}: there is no {what} '{unknown}'", hint=near(unknown, there))


def _named_parts(project: Project) -> Iterator[Names]:
    gate, watch = project.gate, project.watch
    if gate.metrics or gate.champion.metric or gate.slices.metric or watch.metric:
        from homeostat.track.metrics import METRICS

        fitting = [name for name, one in METRICS.items() if project.task in one.tasks]
        what = f"metric of a {project.task.value} task"
        yield "gate.metrics", what, fitting, gate.metrics
        yield "gate.champion.metric", what, fitting, _one(gate.champion.metric)
        yield "gate.slices.metric", what, fitting, _one(gate.slices.metric)
        yield "watch.metric", what, fitting, _one(watch.metric)
    if gate.skip:
        from homeostat.gate.checks import CHECKS

        yield "gate.skip", "check", CHECKS, gate.skip
    if watch.drift.methods or watch.drift.thresholds:
        from homeostat.watch.methods import METHODS

        yield "watch.drift.methods", "drift method", METHODS, watch.drift.methods or []
        yield "watch.drift.thresholds", "drift method", METHODS, watch.drift.thresholds
    if watch.drift.joint:
        from homeostat.watch.multivariate import JOINT_METHODS

        yield "watch.drift.joint", "method for all columns together", JOINT_METHODS, watch.drift.joint
    if watch.detectors != WatchSettings().detectors:
        from homeostat.watch.detectors import DETECTORS

        yield "watch.detectors", "detector", DETECTORS, watch.detectors
    if watch.estimates:
        from homeostat.watch.estimates import ESTIMATORS

        yield "watch.estimates", "estimator", ESTIMATORS, watch.estimates


def _one(name: str | None) -> list[str]:
    return [] if name is None else [name]


def _named_columns(project: Project) -> Iterator[tuple[str, Iterable[str]]]:
    data, gate, groups = project.data, project.gate, project.watch.groups
    yield "data.target", [data.target]
    yield "data.time", _one(data.time)
    yield "data.key", data.key
    yield "data.exclude", data.exclude
    yield "data.columns", data.columns
    yield "data.contract.columns", data.contract.columns
    yield "gate.slices.columns", gate.slices.columns
    yield "gate.slices.protected", gate.slices.protected
    yield "watch.groups.slices", groups.slices
    yield "watch.groups.protected", groups.protected


def _check_function(place: Place) -> None:
    """Only whether there is such a module: to import it would run the user's code outside its child process."""
    function = place.project.training.function
    if function is None:
        return
    from homeostat.train.hooks import find_module

    try:
        find_module(function, place.root)
    except InvalidInput as error:
        raise InvalidInput(f"{FILE}: train.function: {error.message}", hint=error.hint) from error


def _rows(place: Place) -> "pl.DataFrame":
    from homeostat.data.sources import read

    data = place.project.data
    try:
        return read(data.source, query=data.query, root=place.root)
    except InvalidInput as error:
        raise InvalidInput(f"{FILE}: data.source: {error.message}", hint=error.hint) from error
