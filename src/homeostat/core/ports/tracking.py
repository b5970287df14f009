"""Where experiments, runs and logged models are kept."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from homeostat.core.queries import ExperimentQuery, LoggedModelQuery, RunQuery
from homeostat.core.records.tracking import (
    Experiment,
    InputDataset,
    LoggedModel,
    LoggedModelMetric,
    Metric,
    Point,
    Run,
    RunDetail,
    RunStatus,
)


class ExperimentStore(Protocol):
    def create(
        self,
        name: str,
        *,
        artifacts: str = "",
        tags: Mapping[str, str] | None = None,
        now: datetime,
        experiment_id: str | None = None,
    ) -> str:
        """Return the id of a new experiment; raise AlreadyExists where the name is taken, by a deleted one too.

        The id is the next one, unless one that is free is given.
        """

    def get(self, experiment_id: str) -> Experiment:
        """Return the experiment; raise NotFound."""

    def by_name(self, name: str) -> Experiment | None: ...
    def search(self, query: ExperimentQuery) -> list[Experiment]: ...
    def rename(self, experiment_id: str, name: str, *, now: datetime) -> None:
        """Give the experiment another name; raise AlreadyExists where it is taken."""

    def set_stage(self, experiment_id: str, stage: str, *, now: datetime) -> None: ...
    def set_tag(self, experiment_id: str, key: str, value: str) -> None: ...
    def delete_tag(self, experiment_id: str, key: str) -> bool:
        """Take a tag away; return whether there was one."""


class RunStore(Protocol):
    def experiment(self, name: str, *, now: datetime) -> str:
        """Return the id of the experiment of that name, created when new."""

    def create(self, run: Run) -> None: ...
    def update(self, run: Run) -> None:
        """Replace status, end, tags, facts of the run; params and metrics are added through their own calls."""

    def get(self, run_id: str) -> Run:
        """Return the run; raise NotFound with near ids."""

    def find(self, run_id: str) -> Run | None: ...
    def recent(self, *, experiment: str | None = None, limit: int = 50) -> list[Run]: ...
    def log_params(self, run_id: str, params: Mapping[str, str]) -> None: ...
    def log_metrics(self, run_id: str, metrics: Iterable[Metric]) -> None: ...
    def history(self, run_id: str, key: str) -> list[Metric]:
        """Return all points of a metric in order of step, then time."""

    def head(self, run_id: str) -> Run:
        """Return the run without params, metrics and tags; raise NotFound. The id must be whole."""

    def details(self, run_ids: Sequence[str]) -> list[RunDetail]:
        """Return the runs with everything that belongs to them, in the order asked for; raise NotFound."""

    def search(self, query: RunQuery) -> list[str]:
        """Return the ids of the runs that are asked for, in the order asked for; `details` gets the runs, as many at a time as is fit."""

    def rename(self, run_id: str, name: str) -> None: ...
    def set_status(self, run_id: str, status: RunStatus, *, ended: datetime | None) -> None: ...
    def set_stage(self, run_ids: Sequence[str], stage: str, *, now: datetime) -> None:
        """Move runs between the lifecycle stages `active` and `deleted`."""

    def ids(self, experiment_id: str) -> list[str]: ...
    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None: ...
    def delete_tag(self, run_id: str, key: str) -> bool:
        """Take a tag away; return whether there was one."""

    def log_points(self, run_id: str, experiment_id: str, points: Sequence[Point]) -> None:
        """Add points; one that is there already is left as it is. The newest of each key is the greatest (step, time, value)."""

    def points(
        self,
        run_id: str,
        key: str,
        *,
        offset: int = 0,
        limit: int | None = None,
        steps: tuple[int, int] | None = None,
    ) -> list[Point]:
        """Return the points of a metric in order of time, step, value; `steps` keeps those from the first to the last step."""

    def count_points(self, run_id: str, key: str, *, steps: tuple[int, int] | None = None) -> int: ...
    def pieces(
        self, run_id: str, key: str, *, steps: tuple[int, int] | None = None, by_step: bool = False
    ) -> Iterator[list[Point]]:
        """Yield what `points` returns, a few thousand at a time: of millions, no more than that is in memory. `by_step`: step before time."""

    def log_inputs(self, run_id: str, experiment_id: str, datasets: Sequence[InputDataset]) -> None:
        """Say that the run used data sets; one that it said before (same name and digest) is left as it is."""

    def log_models(self, run_id: str, *, inputs: Sequence[str] = (), outputs: Sequence[tuple[str, int]] = ()) -> None:
        """Say which logged models went in and came out."""

    def input_datasets(self, experiment_ids: Sequence[str], *, limit: int) -> list[tuple[str, str, str, str | None]]:
        """Return (experiment id, name, digest, context) of every data set that runs of the experiments used."""


class LoggedModelStore(Protocol):
    def add(self, model: LoggedModel) -> None: ...
    def get(self, model_id: str, *, allow_deleted: bool = False) -> LoggedModel:
        """Return the model with tags, params and metrics; raise NotFound."""

    def update(self, model: LoggedModel) -> None:
        """Replace name, status, stage and times; tags, params and metrics have calls of their own."""

    def set_tags(self, model_id: str, tags: Mapping[str, str]) -> None: ...
    def delete_tag(self, model_id: str, key: str) -> None:
        """Take a tag away; raise NotFound where there is none."""

    def log_params(self, model_id: str, params: Mapping[str, str]) -> None: ...
    def log_metrics(self, metrics: Iterable[LoggedModelMetric]) -> None:
        """Add metrics; one that is there already, with the same step and time in the same run, is left as it is."""

    def search(self, query: LoggedModelQuery) -> list[LoggedModel]: ...
