"""The outside world as the stages see it: small protocols, implemented in `storage`, `serve` and `app`, wired in `app.wiring`.

`Frame` stands for `polars.DataFrame`: core does not import it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

from homeostat.core.errors import HomeostatError
from homeostat.core.garbage import Deleted
from homeostat.core.queries import ExperimentQuery, LoggedModelQuery, ModelQuery, RunQuery
from homeostat.core.records import (
    BlobInfo,
    Cycle,
    DatasetVersion,
    Event,
    Experiment,
    GateReport,
    Incident,
    InputDataset,
    LoggedModel,
    LoggedModelMetric,
    Metric,
    ModelVersion,
    Point,
    QuarantinedBatch,
    RegisteredModel,
    Route,
    Run,
    RunDetail,
    RunStatus,
    WindowVerdict,
    Worker,
)
from homeostat.core.traces import Assessment, Span, Trace, TraceQuery
from homeostat.core.webhooks import Delivery, Webhook

Frame: TypeAlias = Any
Json: TypeAlias = dict[str, Any]
T = TypeVar("T")


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the present, UTC-aware; in simulated time, whatever the simulation says it is."""


class AuditStore(Protocol):
    def append(
        self, kind: str, *, subject: str, actor: str, time: datetime, payload: Json, key: str | None = None
    ) -> Event:
        """Add an event at the end of the chain, in the transaction under way. A `key` used before raises Conflict."""

    def by_key(self, key: str) -> Event | None: ...
    def events(
        self, *, after: int = 0, kinds: Sequence[str] = (), subject: str | None = None, limit: int | None = None
    ) -> list[Event]:
        """Return events with seq > `after`, oldest first."""

    def last(self) -> Event | None: ...
    def head(self) -> tuple[int, str] | None:
        """Return (seq, digest) of the newest entry as kept beside the chain: a chain cut at its end differs from it."""


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


class DatasetStore(Protocol):
    def add(self, version: DatasetVersion) -> None: ...
    def latest(self, dataset: str) -> DatasetVersion | None: ...
    def get(self, dataset: str, version: int) -> DatasetVersion: ...
    def by_key(self, dataset: str, key: str) -> DatasetVersion | None: ...
    def versions(self, dataset: str) -> list[DatasetVersion]: ...
    def contract(self, dataset: str) -> Json | None: ...
    def set_contract(self, dataset: str, contract: Json) -> None: ...
    def quarantine(self, batch: QuarantinedBatch) -> None:
        """Insert the batch, or replace its state where it is known."""

    def quarantined(self, dataset: str | None = None) -> list[QuarantinedBatch]: ...
    def quarantined_batch(self, batch_id: str) -> QuarantinedBatch: ...


class ModelStore(Protocol):
    def add(self, version: ModelVersion) -> None:
        """Insert the version; its model is registered by the way where it is new."""

    def replace(self, version: ModelVersion) -> None:
        """Store all of a version anew, tags included."""

    def delete(self, model: str, version: int, *, now: datetime) -> None:
        """Take a version and its aliases away; its number is not given out again."""

    def search(self, query: ModelQuery) -> list[ModelVersion]: ...
    def add_model(self, model: RegisteredModel) -> None:
        """Register a name; raise Conflict where it is taken."""

    def model(self, name: str) -> RegisteredModel:
        """Return what is said of a name; raise NotFound with near ones."""

    def find_model(self, name: str) -> RegisteredModel | None: ...
    def replace_model(self, model: RegisteredModel) -> None: ...
    def rename_model(self, name: str, new: str, *, now: datetime) -> None:
        """Give the model, its versions, aliases and reports another name."""

    def delete_model(self, name: str) -> None:
        """Take a model away with all its versions and aliases."""

    def search_models(self, query: ModelQuery) -> list[RegisteredModel]: ...
    def set_tag(self, model: str, key: str, value: str | None, *, version: int | None = None) -> None:
        """Set a tag of a model or of one version (None: take it away)."""

    def latest(self, models: Sequence[str]) -> list[ModelVersion]:
        """Return the newest version of each model in each stage."""

    def aliases_of(self, models: Sequence[str]) -> dict[str, dict[str, int]]:
        """Return the aliases of several models at once."""

    def next_version(self, model: str) -> int: ...
    def get(self, model: str, version: int) -> ModelVersion: ...
    def by_run(self, model: str, run_id: str) -> ModelVersion | None: ...
    def versions(self, model: str) -> list[ModelVersion]: ...
    def models(self) -> list[str]: ...
    def set_health(self, model: str, version: int, health: str) -> None: ...
    def alias(self, model: str, alias: str) -> int | None: ...
    def aliases(self, model: str) -> dict[str, int]: ...
    def set_alias(self, model: str, alias: str, version: int | None) -> None: ...
    def add_report(self, report: GateReport) -> None: ...
    def report(self, report_id: str) -> GateReport: ...
    def reports(self, model: str, *, limit: int = 50) -> list[GateReport]: ...


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


class RouteStore(Protocol):
    def get(self, model: str) -> Route | None: ...
    def all(self) -> list[Route]: ...
    def put(self, route: Route) -> Route:
        """Store the route under the next generation and return it as stored."""

    def beat(self, worker: Worker) -> None:
        """Insert or refresh a worker's row."""

    def workers(self, *, alive_since: datetime) -> list[Worker]: ...
    def forget_worker(self, worker_id: str) -> None: ...


class WatchStore(Protocol):
    def add(self, verdict: WindowVerdict) -> None: ...
    def verdicts(self, model: str, *, limit: int | None = None) -> list[WindowVerdict]:
        """Return the newest revision of each window, oldest window first; `limit` keeps the newest ones."""

    def get_state(self, name: str) -> Json | None:
        """Return a small piece of state kept between ticks (a cursor, a reference profile)."""

    def set_state(self, name: str, value: Json) -> None: ...


class IncidentStore(Protocol):
    def put(self, incident: Incident) -> None:
        """Insert or replace by `incident_id`."""

    def get(self, incident_id: str) -> Incident:
        """Return the incident of that id, or of those first digits; raise NotFound."""

    def newest(self, model: str, kind: str) -> Incident | None:
        """Return the one that opened last, open or over."""

    def recent(self, model: str, *, limit: int = 50) -> list[Incident]:
        """Return incidents, newest first."""


class CycleStore(Protocol):
    def put(self, cycle: Cycle) -> None:
        """Insert or replace by `cycle_id`."""

    def get(self, cycle_id: str) -> Cycle: ...
    def find(self, cycle_id: str) -> Cycle | None: ...
    def running(self, model: str) -> Cycle | None: ...
    def recent(self, model: str | None = None, *, limit: int = 50) -> list[Cycle]: ...


class TraceStore(Protocol):
    def put(self, trace: Trace) -> None:
        """Insert or replace the trace; its tags, metadata and assessments are added to those that are there."""

    def get(self, trace_id: str) -> Trace: ...
    def find(self, trace_id: str) -> Trace | None: ...
    def many(self, trace_ids: Sequence[str]) -> list[Trace]:
        """Return those that exist, in the order asked for."""

    def search(self, query: TraceQuery) -> list[Trace]: ...
    def ids(
        self,
        *,
        experiment_id: str,
        until: datetime | None = None,
        limit: int | None = None,
        trace_ids: Sequence[str] | None = None,
    ) -> list[str]:
        """Return the ids of an experiment's traces, oldest first, narrowed to those started at or before `until` or named."""

    def delete(self, trace_ids: Sequence[str]) -> int:
        """Delete traces with all that belongs to them; return how many there were."""

    def set_tag(self, trace_id: str, key: str, value: str) -> None: ...
    def delete_tag(self, trace_id: str, key: str) -> None: ...
    def link(self, trace_ids: Iterable[str], kind: str, targets: Iterable[str]) -> None:
        """Note that traces belong to runs (kind `run`, by id) or used prompts (kind `prompt`, as name/version). Twice is as once."""

    def put_spans(self, found: Iterable[Span]) -> None: ...
    def spans(self, trace_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return the contents of each trace's spans as JSON texts, earliest first."""

    def count_spans(self, trace_ids: Sequence[str]) -> dict[str, int]: ...
    def put_assessment(self, assessment: Assessment) -> None: ...
    def find_assessment(self, trace_id: str, assessment_id: str) -> Assessment | None: ...
    def set_valid(self, trace_id: str, assessment_id: str, *, valid: bool) -> bool:
        """Say whether an assessment still counts; return whether there is one."""

    def delete_assessment(self, trace_id: str, assessment_id: str) -> None: ...


class WebhookStore(Protocol):
    def put(self, webhook: Webhook) -> None: ...
    def get(self, webhook_id: str) -> Webhook: ...
    def all(self, *, limit: int | None = None, offset: int = 0) -> list[Webhook]:
        """Return webhooks, newest first."""

    def delete(self, webhook_id: str) -> None:
        """Delete it and what was still to be sent to it."""

    def add_deliveries(self, deliveries: Iterable[Delivery]) -> None:
        """Add deliveries; those that are known by their id stay as they are."""

    def due(self, *, now: datetime, limit: int = 100) -> list[Delivery]:
        """Return what is to be sent now: of each webhook the delivery that has been due for the longest."""

    def update_delivery(self, delivery: Delivery) -> None: ...
    def deliveries(self, webhook_id: str, *, limit: int = 100) -> list[Delivery]:
        """Return the newest deliveries of a webhook, newest first."""

    def forget_deliveries(self, *, before: datetime) -> int: ...


class GarbageStore(Protocol):
    """What was deleted at or before a time, and the end of it. An experiment that goes takes all that is in it."""

    def runs(self, *, before: datetime) -> list[Deleted]: ...
    def logged_models(self, *, before: datetime) -> list[Deleted]: ...
    def experiments(self, *, before: datetime) -> list[Deleted]: ...
    def remove_runs(self, run_ids: Sequence[str]) -> None: ...
    def remove_logged_models(self, model_ids: Sequence[str]) -> None: ...
    def remove_experiment(self, experiment_id: str) -> int:
        """Delete an experiment that has no runs and logged models any more; return how many traces went with it."""

    def named(self) -> set[str]:
        """Return every address and blob that something names."""

    def versions_at(self) -> dict[str, str]:
        """Return the blob of each registered version, and the version as name/number."""

    def known(self, ids: Iterable[str]) -> set[str]:
        """Return those that are ids of runs, logged models or traces."""


class Transaction(Protocol):
    """All metadata, in one database transaction: state and its audit event are written together or not at all."""

    @property
    def audit(self) -> AuditStore: ...
    @property
    def experiments(self) -> ExperimentStore: ...
    @property
    def runs(self) -> RunStore: ...
    @property
    def datasets(self) -> DatasetStore: ...
    @property
    def models(self) -> ModelStore: ...
    @property
    def logged_models(self) -> LoggedModelStore: ...
    @property
    def routes(self) -> RouteStore: ...
    @property
    def watch(self) -> WatchStore: ...
    @property
    def incidents(self) -> IncidentStore: ...
    @property
    def cycles(self) -> CycleStore: ...
    @property
    def traces(self) -> TraceStore: ...
    @property
    def webhooks(self) -> WebhookStore: ...
    @property
    def garbage(self) -> GarbageStore: ...


class Store(Protocol):
    def write(self) -> AbstractContextManager[Transaction]:
        """Open a transaction that commits at the end of the block and rolls back on an exception. Writers queue."""

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a consistent view; writing in it is an error."""

    def submit(
        self, change: Callable[[Transaction], T], done: Callable[[T | None, BaseException | None], None]
    ) -> None:
        """Queue a change for the one writer, and return at once.

        Changes that wait together are committed together (group commit), each in a savepoint: one that raises undoes itself alone.
        `done(result, error)` is called in the writer's thread when the change is durable, or was refused. It must not block.
        """


class TableStore(Protocol):
    """Versioned tables of rows (Delta Lake)."""

    def append(self, table: str, frame: Frame, *, key: str | None = None, note: Json | None = None) -> int:
        """Append rows, creating the table when new, and return its version.

        With a `key` that an earlier append used, nothing is written and that append's version is returned.
        New columns are added (older rows read null).
        """

    def read(self, table: str, *, version: int | None = None) -> Frame: ...
    def version(self, table: str) -> int | None:
        """Return the newest version, None where there is no such table."""

    def restore(self, table: str, version: int | None) -> None:
        """Put the table back to a version (None: drop it); used to undo an append whose metadata did not commit."""


class BlobStore(Protocol):
    """Files by relative path under one root; paths that leave it are refused (InvalidInput)."""

    def put_bytes(self, path: str, content: bytes) -> None: ...
    def get_bytes(self, path: str) -> bytes: ...
    def put_tree(self, path: str, folder: Path) -> dict[str, str]:
        """Copy a folder in, atomically, and return {relative file: sha256}."""

    def local(self, path: str) -> Path:
        """Return a local path with the content (a cache where the store is remote). Read-only by agreement."""

    def exists(self, path: str) -> bool: ...
    def delete(self, path: str) -> None: ...
    def entries(self, path: str) -> list[BlobInfo]:
        """Return what is in a folder, by name; empty where there is no such folder."""

    def size(self, path: str) -> int:
        """Return the size of a file in bytes; raise NotFound."""

    def file(self, path: str) -> Path | None:
        """Return where the file itself is on this machine, None where it is elsewhere; raise NotFound. Read-only by agreement."""

    def leftovers(self, *, before: datetime) -> list[BlobInfo]:
        """Return what writers that were killed left behind, none of it visible, untouched since `before`. Nothing of a writer at work."""

    def clear(self, leftovers: Iterable[BlobInfo]) -> None:
        """Remove leftovers."""

    def upload(self, path: str) -> AbstractContextManager["BlobWriter"]:
        """Open a file for writing piece by piece. It is there, whole and durable, when the block ends; after an error nothing is."""

    def chunks(self, path: str, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Return the bytes from `start` up to `stop` in pieces of at most a few megabytes."""


class BlobWriter(Protocol):
    def write(self, piece: bytes, /) -> object: ...


class RecordLog(Protocol):
    """What was answered and what turned out true: append-only, durable when the call returns."""

    def write(self, kind: str, rows: Sequence[Json]) -> None:
        """Append rows of kind 'predictions' or 'labels'."""

    def submit(self, model: str, lines: bytes, done: Callable[[HomeostatError | None], None]) -> None:
        """Append encoded lines to the predictions; `done` is called, in any thread, when they are durable or were refused."""

    def close(self) -> None:
        """Put on the disk what was promised to be there, and write no more."""

    def stamps(self, count: int) -> int:
        """Return the first of so many consecutive numbers that order lines."""

    def read(self, kind: str, model: str, *, since: datetime | None = None) -> Frame:
        """Return all rows (compacted and not yet), received at or after `since`, in order of receipt, ids not repeated."""

    def stamp(self, model: str) -> str:
        """Return what changes whenever a row of the model is written: while it stays, `read` gives what it gave. Costs next to nothing."""

    def is_due(self) -> bool:
        """Return whether `compact` has something to move."""

    def compact(self) -> int:
        """Move closed write-ahead segments into tables, exactly once; return the number of rows moved."""

    def erase(self, model: str, keys: Sequence[str]) -> dict[str, int]:
        """Remove the rows of some keys and their labels for good; return the numbers by kind. Conflict where that cannot be done now."""

    def drop_before(self, model: str, moment: datetime) -> dict[str, int]:
        """Remove the rows received before a moment for good; return the numbers by kind. Conflict where that cannot be done now."""


class CandidateProbe(Protocol):
    """Loads a candidate in a fresh process of the real server and queries it."""

    def predict(
        self, package: Path, rows: Sequence[Json], *, timeout_s: float, signature: Json | None = None
    ) -> "ProbeAnswer":
        """Return its answers. A package that a client logged needs the `signature` of its version."""


class ProbeAnswer(Protocol):
    @property
    def outputs(self) -> list[Any]: ...
    @property
    def load_s(self) -> float: ...
    @property
    def latency_ms(self) -> list[float]: ...


class Durable(Protocol):
    """Runs the steps of a cycle so that each finishes once, whatever dies between: DBOS live, inline in simulated time.

    A step that waits (for requests, for a person) looks at the stores until it has its answer; after a crash it looks again.
    """

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Run the function and record its (JSON-ready) result; on a replay return the recorded result instead."""
