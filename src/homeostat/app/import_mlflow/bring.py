"""Bringing it over: experiment by experiment, run by run, each in a transaction of its own that says so in the audit log.

Whatever stops it, it can be started again: what is there already is left as it is, files of the right size are not copied again, and a
run counts as done once it carries the tag `homeostat.imported`, which is written last.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import TypeVar

from homeostat.app.import_mlflow.source import MlflowSource
from homeostat.audit.log import record
from homeostat.core.errors import Conflict, HomeostatError, InvalidInput, NotFound, Unreachable
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.store import Store, Transaction
from homeostat.core.records.registry import ModelVersion, RegisteredModel
from homeostat.core.records.tracking import Experiment, LoggedModel, Point, Run, RunDetail
from homeostat.core.traces import PLACE_TAG, SPANS_TAG, Span, Trace
from homeostat.core.values import Json
from homeostat.registry.declared import Examined, examine
from homeostat.registry.names import IS_PROMPT
from homeostat.track.artifacts import blob_at, logged_model_artifacts, run_artifacts, safe_path, uri_of
from homeostat.track.experiments import location_of
from homeostat.track.traces import IN_STORE, place_of

MARK = "homeostat.imported"
NAME_TAG = "mlflow.runName"
_MOST_ID = 2**31 - 1
_SLICE = 20_000
_KEPT_BY_LOOP = ("champion", "challenger", "previous")
_SOURCES_OF_PROMPTS = ("prompt-template", "dummy-source")
T = TypeVar("T")

ROWS = (
    "experiments",
    "runs",
    "params",
    "tags",
    "metrics",
    "metric points",
    "inputs",
    "logged models",
    "registered models",
    "model versions",
    "aliases",
    "traces",
    "spans",
    "files",
    "bytes",
)


@dataclass(slots=True)
class Tally:
    """How much of everything there is: `source` in the store that was read, `here` as read back from ours afterwards."""

    source: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROWS, 0))
    here: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROWS, 0))
    problems: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not self.problems and self.source == self.here

    def add(self, name: str, source: int, here: int) -> None:
        self.source[name] += source
        self.here[name] += here


class Importer:
    """Reads from a source and writes to our stores. `kept` is the project's own model: the loop's aliases of it are not brought over."""

    def __init__(
        self,
        source: MlflowSource,
        *,
        store: Store,
        blobs: BlobStore,
        clock: Clock,
        actor: str,
        kept: str | None = None,
        tell: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._source = source
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._actor = actor
        self._kept = kept
        self._tell = tell
        self._tally = Tally()
        self._ids: dict[str, str] = {}
        self._places: dict[str, str] = {}  # source address of a run or logged model: our address
        self._examined: dict[str, Examined] = {}

    def run(self) -> Tally:
        """Bring everything over and return the count."""
        for experiment in self._in_order():
            try:
                ours = self._experiment(experiment)
            except HomeostatError as error:
                self._problem(f"experiment '{experiment.name}'", error)
                continue
            self._tell(f"experiment '{experiment.name}' ({experiment.experiment_id} -> {ours.experiment_id})")
            location = location_of(ours)
            for detail in self._source.runs(experiment.experiment_id):
                with self._guarded(f"run {detail.run.run_id}"):
                    self._run(detail, ours, location)
            for logged in self._source.logged_models(experiment.experiment_id):
                with self._guarded(f"logged model {logged.model_id}"):
                    self._logged_model(logged, ours, location)
            for trace, spans in self._source.traces(experiment.experiment_id):
                with self._guarded(f"trace {trace.trace_id}"):
                    self._trace(trace, spans, ours)
            self._settle(experiment, ours)
        for model in self._source.models():
            with self._guarded(f"registered model '{model.name}'"):
                self._model(model)
        with self._store.write() as tx:
            self._note(tx, "store.imported", "store", {"here": self._tally.here, "problems": len(self._tally.problems)})
        return self._tally

    # -- experiments

    def _in_order(self) -> list[Experiment]:
        """Those first that can keep their ids, so that no other one takes them."""
        found = list(self._source.experiments())
        with self._store.read() as tx:
            taken = {each.experiment_id for each in found if not self._is_free(tx, each.experiment_id)}
        return sorted(found, key=lambda each: each.experiment_id in taken)

    def _experiment(self, experiment: Experiment) -> Experiment:
        """An experiment of that name is taken for the same one; else its id is kept where it is free."""
        with self._store.write() as tx:
            known = tx.experiments.by_name(experiment.name)
            if known is None:
                wanted = experiment.experiment_id if self._is_free(tx, experiment.experiment_id) else None
                made = tx.experiments.create(
                    experiment.name, tags=experiment.tags, now=experiment.created, experiment_id=wanted
                )
                self._note(tx, "experiment.imported", f"experiment:{made}", {"name": experiment.name})
                known = tx.experiments.get(made)
            for key, value in experiment.tags.items():
                tx.experiments.set_tag(known.experiment_id, key, value)
        self._ids[experiment.experiment_id] = known.experiment_id
        return known

    def _is_free(self, tx: Transaction, experiment_id: str) -> bool:
        if not experiment_id.isdecimal() or int(experiment_id) > _MOST_ID:
            return False
        try:
            tx.experiments.get(experiment_id)
        except NotFound:
            return True
        return False

    def _settle(self, experiment: Experiment, ours: Experiment) -> None:
        with self._store.write() as tx:
            if tx.experiments.get(ours.experiment_id).lifecycle_stage != experiment.lifecycle_stage:
                tx.experiments.set_stage(ours.experiment_id, experiment.lifecycle_stage, now=experiment.updated)
        with self._store.read() as tx:
            found = tx.experiments.get(ours.experiment_id)
        self._tally.add("experiments", 1, 1)
        self._tally.add("tags", len(experiment.tags), _equal(experiment.tags, found.tags))

    # -- runs

    def _run(self, detail: RunDetail, ours: Experiment, location: str) -> None:
        theirs = detail.run
        address = run_artifacts(location, theirs.run_id)
        self._places[theirs.artifacts.rstrip("/")] = address
        run = replace(
            theirs,
            experiment_id=ours.experiment_id,
            artifacts=address,
            params={},
            metrics={},
            tags={**theirs.tags, **({NAME_TAG: theirs.name} if theirs.name else {})},
        )
        files = self._files(theirs.artifacts, blob_at(address))
        with self._store.read() as tx:
            known = tx.runs.find(theirs.run_id)
        counted = _mark_of(known)
        is_done = known is not None and counted is not None and (known.status, known.ended) == (run.status, run.ended)
        points = counted["points"] if is_done and counted else self._write_run(detail, run, known)
        self._check_run(detail, run, points, files)

    def _write_run(self, detail: RunDetail, run: Run, known: Run | None) -> int:
        """Write all of a run in slices; return how many points there are."""
        if known is not None and known.experiment_id != run.experiment_id:
            raise Conflict(f"run '{run.run_id}' is there already, in experiment {known.experiment_id}")
        count = 0
        points = self._source.points(detail)
        first = _take(points, _SLICE)
        with self._store.write() as tx:
            if known is None:
                tx.runs.create(replace(run, lifecycle_stage="active"))
            else:
                tx.runs.set_status(run.run_id, run.status, ended=run.ended)
                tx.runs.set_tags(run.run_id, run.tags)
            tx.runs.log_params(run.run_id, detail.run.params)
            tx.runs.log_inputs(run.run_id, run.experiment_id, detail.datasets)
            tx.runs.log_models(run.run_id, inputs=detail.model_inputs, outputs=detail.model_outputs)
            count += self._log(tx, run, first)
            if len(first) < _SLICE:
                self._finish_run(tx, run, count)
                return count
        while more := _take(points, _SLICE):
            with self._store.write() as tx:
                count += self._log(tx, run, more)
        with self._store.write() as tx:
            self._finish_run(tx, run, count)
        return count

    def _log(self, tx: Transaction, run: Run, points: list[Point]) -> int:
        if points:
            tx.runs.log_points(run.run_id, run.experiment_id, points)
        return len(points)

    def _finish_run(self, tx: Transaction, run: Run, points: int) -> None:
        tx.runs.set_tags(run.run_id, {MARK: json.dumps({"from": self._source.name, "points": points})})
        if run.lifecycle_stage != "active":
            tx.runs.set_stage([run.run_id], run.lifecycle_stage, now=run.ended or run.started)
        self._note(tx, "run.imported", f"run:{run.run_id}", {"points": points, "status": run.status.value})

    def _check_run(self, detail: RunDetail, run: Run, points: int, files: tuple[int, int]) -> None:
        """Count what is here now, equal to what was there."""
        with self._store.read() as tx:
            found = tx.runs.details([run.run_id])[0]
            here = sum(len(tx.runs.points(run.run_id, key)) for key in sorted({point.key for point in found.latest}))
        tally, theirs = self._tally, detail.run
        tally.add("runs", 1, int((found.run.status, found.run.lifecycle_stage) == (run.status, run.lifecycle_stage)))
        tally.add("params", len(theirs.params), _equal(theirs.params, found.run.params))
        tally.add("tags", len(run.tags), _equal(run.tags, found.run.tags))
        tally.add("metrics", len(detail.latest), len(found.latest))
        tally.add("metric points", points, here)
        given = len(detail.datasets) + len(detail.model_inputs) + len(detail.model_outputs)
        tally.add("inputs", given, len(found.datasets) + len(found.model_inputs) + len(found.model_outputs))
        tally.add("files", files[0], files[0])
        tally.add("bytes", files[1], files[1])

    # -- logged models

    def _logged_model(self, model: LoggedModel, ours: Experiment, location: str) -> None:
        address = logged_model_artifacts(location, model.model_id)
        self._places[model.artifacts.rstrip("/")] = address
        self._places[f"models:/{model.model_id}"] = address
        files, size = self._files(model.artifacts, blob_at(address))
        moved = replace(model, experiment_id=ours.experiment_id, artifacts=blob_at(address))
        with self._store.write() as tx:
            try:
                tx.logged_models.get(model.model_id, allow_deleted=True)
            except NotFound:
                tx.logged_models.add(moved)
                self._note(tx, "logged_model.imported", f"logged_model:{model.model_id}", {"name": model.name})
            else:
                tx.logged_models.update(moved)
                tx.logged_models.set_tags(model.model_id, model.tags)
            tx.logged_models.log_metrics(model.metrics)
        with self._store.read() as tx:
            found = tx.logged_models.get(model.model_id, allow_deleted=True)
        self._tally.add("logged models", 1, int(found.status is model.status))
        self._tally.add("params", len(model.params), _equal(model.params, found.params))
        self._tally.add("tags", len(model.tags), _equal(model.tags, found.tags))
        self._tally.add("metric points", len(model.metrics), len(found.metrics))
        self._tally.add("files", files, files)
        self._tally.add("bytes", size, size)

    # -- traces

    def _trace(self, trace: Trace, spans: list[Span], ours: Experiment) -> None:
        tags = {**trace.tags, PLACE_TAG: place_of(ours.experiment_id, trace.trace_id)}
        if spans:
            tags[SPANS_TAG] = IN_STORE
        with self._store.write() as tx:
            tx.traces.put(replace(trace, experiment_id=ours.experiment_id, tags=tags))
            tx.traces.put_spans(spans)
        files = (0, 0)
        if old := trace.tags.get(PLACE_TAG):
            files = self._files(old, blob_at(place_of(ours.experiment_id, trace.trace_id)))
        with self._store.read() as tx:
            here = tx.traces.count_spans([trace.trace_id])[trace.trace_id]
            found = tx.traces.get(trace.trace_id)
        self._tally.add("traces", 1, int(len(found.assessments) == len(trace.assessments)))
        self._tally.add("spans", len(spans), here)
        self._tally.add("files", files[0], files[0])
        self._tally.add("bytes", files[1], files[1])

    # -- registry

    def _model(self, model: RegisteredModel) -> None:
        with self._store.write() as tx:
            if tx.models.find_model(model.name) is None:
                tx.models.add_model(model)
                self._note(tx, "registered_model.imported", f"model:{model.name}", {"tags": model.tags})
        versions = list(self._source.versions(model.name))
        for version in versions:
            with self._guarded(f"version {version.version} of '{model.name}'"):
                self._version(version, model)
        aliases = dict(self._source.aliases(model.name))
        if model.name == self._kept:
            for alias in _KEPT_BY_LOOP:
                if alias in aliases:
                    self._tell(f"alias '{alias}' of '{model.name}' is the loop's to give: `homeostat models promote`")
                    del aliases[alias]
        with self._store.write() as tx:
            known = tx.models.aliases(model.name)
            numbers = {version.version for version in tx.models.versions(model.name)}
            for alias, number in aliases.items():
                if known.get(alias) != number and number in numbers:
                    tx.models.set_alias(model.name, alias, number)
                    self._note(tx, "alias.imported", f"model:{model.name}", {"alias": alias, "to": number})
        with self._store.read() as tx:
            found, here = tx.models.model(model.name), tx.models.aliases(model.name)
        self._tally.add("registered models", 1, 1)
        self._tally.add("tags", len(model.tags), _equal(model.tags, found.tags))
        self._tally.add("aliases", len(aliases), sum(here.get(alias) == number for alias, number in aliases.items()))

    def _version(self, version: ModelVersion, model: RegisteredModel) -> None:
        is_prompt = model.tags.get(IS_PROMPT, "").lower() == "true" or version.source in _SOURCES_OF_PROMPTS
        source, location = (version.source, "") if is_prompt else self._moved(version)
        examined = Examined() if not location else self._examine(location)
        ours = replace(
            version,
            source=source,
            location=location,
            digests=examined.digests,
            signature=examined.signature,
            lineage={**version.lineage, "imported_from": self._source.name},
        )
        with self._store.write() as tx:
            known = next((each for each in tx.models.versions(version.model) if each.version == version.version), None)
            if known is None:
                tx.models.add(ours)
                payload: Json = {"version": version.version, "run_id": version.run_id, "source": source}
                self._note(tx, "model_version.imported", f"model:{version.model}", payload)
            elif (known.run_id, known.model_id) != (version.run_id, version.model_id):
                raise Conflict(f"there is another version {version.version} of model '{version.model}' here already")
        with self._store.read() as tx:
            found = tx.models.get(version.model, version.version)
        self._tally.add("model versions", 1, 1)
        self._tally.add("tags", len(version.tags), _equal(version.tags, found.tags))

    def _moved(self, version: ModelVersion) -> tuple[str, str]:
        """The source and the blob of a version: where its run's or logged model's files are now, else its own copy."""
        for address in (version.source, version.location):
            if (known := self._places.get(address.rstrip("/"))) is not None:
                is_named = address.startswith("models:/")
                return (address if is_named else known), blob_at(known)
        for address in (version.location, version.source):
            for theirs, ours in self._places.items():
                if theirs and address.startswith(f"{theirs}/"):
                    rest = safe_path(address.removeprefix(f"{theirs}/").rstrip("/"))
                    is_named = version.source.startswith(("models:/", "runs:/"))
                    return (version.source if is_named else f"{ours}/{rest}"), blob_at(ours, rest)
        own = f"artifacts/imported/{version.model}/{version.version}"
        try:
            files, size = self._files(version.location, own)
        except Unreachable as error:
            self._problem(f"files of version {version.version} of '{version.model}'", error)
            return version.source, ""
        self._tally.add("files", files, files)
        self._tally.add("bytes", size, size)
        return uri_of(own), own if files else ""

    def _examine(self, location: str) -> Examined:
        if location not in self._examined:
            try:
                self._examined[location] = examine(self._blobs, location)
            except InvalidInput as error:
                self._tell(f"{location}: {error.message}")
                self._examined[location] = Examined()
        return self._examined[location]

    # -- files

    def _files(self, uri: str, blob: str) -> tuple[int, int]:
        """Copy the files at an address that are not here yet; return how many there are, and their size."""
        if not uri:
            return 0, 0
        size = 0
        found = self._source.files(uri)
        for path, bytes_ in found:
            size += bytes_
            target = f"{blob}/{safe_path(path)}"
            if self._size(target) == bytes_:
                continue
            with self._blobs.upload(target) as file:
                for piece in self._source.read(uri, path):
                    file.write(piece)
            if (written := self._size(target)) != bytes_:
                raise Unreachable(
                    f"'{path}' at {uri} has {bytes_} bytes, and {written} came", hint="start the import again"
                )
        return len(found), size

    def _size(self, path: str) -> int | None:
        try:
            return self._blobs.size(path)
        except NotFound:
            return None

    # -- notes

    @contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        """One thing that cannot be brought over does not stop the others; it is told, and the count cannot agree."""
        try:
            yield
        except HomeostatError as error:
            self._problem(what, error)

    def _problem(self, what: str, error: HomeostatError) -> None:
        text = f"{what}: {error.message}" + (f" ({error.hint})" if error.hint else "")
        self._tally.problems.append(text)
        self._tell(text)

    def _note(self, tx: Transaction, kind: str, subject: str, payload: Json) -> None:
        now: datetime = self._clock.now()
        record(tx, kind, subject=subject, actor=self._actor, time=now, payload={"from": self._source.name, **payload})


def _mark_of(run: Run | None) -> Json | None:
    try:
        found = json.loads(run.tags.get(MARK, "null")) if run else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("points"), int) else None


def _equal(theirs: dict[str, str], ours: dict[str, str]) -> int:
    return sum(ours.get(key) == value for key, value in theirs.items())


def _take(found: Iterator[T], most: int) -> list[T]:
    return list(islice(found, most))
