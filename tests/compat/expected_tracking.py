"""Experiments and runs in plain Python: what a tracking server must have remembered, and what it must refuse."""

import math
from dataclasses import dataclass, field
from typing import Any

from tests.compat.expected_search import Clause, Order, found

NAME_TAG = "mlflow.runName"
NEWEST = [Order("attributes", "start_time", is_ascending=False), Order("attributes", "run_id", is_ascending=True)]


class Refused(Exception):
    """The server must answer with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


MISSING, TAKEN, INVALID = "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE"


@dataclass
class Experiment:
    experiment_id: str
    name: str
    artifacts: str
    created: int
    updated: int
    tags: dict[str, str]
    stage: str = "active"


@dataclass
class Run:
    run_id: str
    experiment_id: str
    name: str
    started: int
    tags: dict[str, str]
    artifacts: str
    status: str = "RUNNING"
    ended: int | None = None
    stage: str = "active"
    params: dict[str, str] = field(default_factory=dict)
    points: dict[str, set[tuple[int, int, float, bool]]] = field(default_factory=dict)
    """Per key: step, time, value and whether it is NaN, which is kept as 0."""
    datasets: dict[tuple[str, str], str] = field(default_factory=dict)
    """Context by name and digest."""

    def metrics(self) -> dict[str, float]:
        return {key: _value(max(points)) for key, points in self.points.items()}

    def history(self, key: str) -> list[tuple[int, int, float]]:
        """Return time, step and value in order of all three."""
        points = sorted(self.points.get(key, ()), key=lambda p: (p[1], p[0], p[2], p[3]))
        return [(time, step, _value((step, time, value, is_nan))) for step, time, value, is_nan in points]

    def value(self, entity: str, key: str) -> Any:
        match entity:
            case "metrics":
                return self.metrics().get(key)
            case "params":
                return self.params.get(key)
            case "tags":
                return self.tags.get(key)
            case "datasets":
                named = [(*each, context) for each, context in self.datasets.items()]
                return [each[("name", "digest", "context").index(key)] for each in named]
        attributes = {
            "run_id": self.run_id,
            "run_name": self.name,
            "status": self.status,
            "start_time": self.started,
            "end_time": self.ended,
            "artifact_uri": self.artifacts,
        }
        return attributes[key]


def _value(point: tuple[int, int, float, bool]) -> float:
    return math.nan if point[3] else point[2]


class Tracking:
    def __init__(self) -> None:
        self.experiments: dict[str, Experiment] = {}
        self.runs: dict[str, Run] = {}

    # -- experiments

    def create_experiment(self, made: str, name: str, tags: dict[str, str], *, artifacts: str, now: int) -> None:
        self._free(name)
        self.experiments[made] = Experiment(made, name, artifacts, now, now, dict(tags))

    def rename_experiment(self, which: str, name: str, *, now: int) -> None:
        known = self._experiment(which)
        if known.stage != "active":
            raise Refused(INVALID)  # the stock server says INVALID_STATE, which is a 500
        if name != known.name:
            self._free(name)
        known.name, known.updated = name, now

    def move_experiment(self, which: str, stage: str, *, now: int) -> None:
        known = self._experiment(which)
        if known.stage == stage:
            raise Refused(MISSING)
        known.stage, known.updated = stage, now
        for run in self.runs.values():
            if run.experiment_id == which:
                run.stage = stage

    def tag_experiment(self, which: str, key: str, value: str) -> None:
        self._active_experiment(which).tags[key] = value

    def untag_experiment(self, which: str, key: str) -> None:
        _take(self._active_experiment(which).tags, key)

    def find_experiments(self, clauses: list[Clause], orders: list[Order], stages: set[str]) -> list[str]:
        def value(one: Experiment, entity: str, key: str) -> Any:
            attributes = {"name": one.name, "creation_time": one.created, "last_update_time": one.updated}
            return (
                {**attributes, "experiment_id": int(one.experiment_id)}[key]
                if entity == "attributes"
                else one.tags.get(key)
            )

        things = [one for one in self.experiments.values() if one.stage in stages]
        ties = [Order("attributes", "experiment_id", is_ascending=False)]
        orders = orders or [
            Order("attributes", "creation_time", is_ascending=False),
            Order("attributes", "experiment_id", is_ascending=True),
        ]
        return [one.experiment_id for one in found(things, clauses, orders, value, ties=ties)]

    def _free(self, name: str) -> None:
        if any(one.name == name for one in self.experiments.values()):
            raise Refused(TAKEN)

    def _experiment(self, which: str) -> Experiment:
        if which not in self.experiments:
            raise Refused(MISSING)
        return self.experiments[which]

    def _active_experiment(self, which: str) -> Experiment:
        known = self._experiment(which)
        if known.stage != "active":
            raise Refused(INVALID)
        return known

    # -- runs

    def create_run(self, made: Any, which: str, *, name: str | None, started: int, tags: dict[str, str]) -> None:
        """`made` is the answer: the id and, where none was asked for, the name are the server's choice."""
        experiment = self._active_experiment(which)
        run_id, name = made.info.run_id, name or made.info.run_name
        root = f"{experiment.artifacts}/{run_id}/artifacts"
        self.runs[run_id] = Run(run_id, which, name, started, {**tags, NAME_TAG: name}, root)

    def update_run(self, run_id: str, *, status: str | None, ended: int | None, name: str | None) -> None:
        run = self._active(run_id)
        run.status, run.ended = status or run.status, run.ended if ended is None else ended
        if name:
            run.name = run.tags[NAME_TAG] = name

    def move_run(self, run_id: str, stage: str) -> None:
        self._run(run_id).stage = stage

    def log(
        self,
        run_id: str,
        *,
        points: list[tuple[str, float, int, int]] = [],  # noqa: B006 - never changed
        params: list[tuple[str, str]] = [],  # noqa: B006
        tags: list[tuple[str, str]] = [],  # noqa: B006
    ) -> None:
        """All of it or nothing."""
        new = dict(params)
        if len(new) < len(params):
            raise Refused(INVALID)
        run = self._active(run_id)
        if any(run.params.get(key, value) != value for key, value in params):
            raise Refused(INVALID)
        run.params |= new
        run.tags |= dict(tags)
        run.name = run.tags[NAME_TAG]
        for key, value, time, step in points:
            is_nan = math.isnan(value)
            run.points.setdefault(key, set()).add((step, time, 0.0 if is_nan else value, is_nan))

    def log_datasets(self, run_id: str, datasets: list[tuple[str, str, str]]) -> None:
        run = self._active(run_id)
        for name, digest, context in datasets:
            run.datasets.setdefault((name, digest), context)

    def untag(self, run_id: str, key: str) -> None:
        _take(self._active(run_id).tags, key)

    def find_runs(self, which: list[str], clauses: list[Clause], orders: list[Order], stages: set[str]) -> list[str]:
        things = [run for run in self.runs.values() if run.experiment_id in which and run.stage in stages]
        return [run.run_id for run in found(things, clauses, orders, Run.value, ties=NEWEST)]

    def _run(self, run_id: str) -> Run:
        if run_id not in self.runs:
            raise Refused(MISSING)
        return self.runs[run_id]

    def _active(self, run_id: str) -> Run:
        run = self._run(run_id)
        if run.stage != "active":
            raise Refused(INVALID)
        return run


def _take(tags: dict[str, str], key: str) -> None:
    if key not in tags:
        raise Refused(MISSING)
    del tags[key]
