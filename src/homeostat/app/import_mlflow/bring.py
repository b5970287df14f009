"""Bringing it over: experiment by experiment, run by run, each in a transaction of its own that says so in the audit log.

Whatever stops it, it can be started again: what is there already is left as it is, files of the right size are not copied again, and a
run counts as done once it carries the tag `homeostat.imported`, which is written last.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from homeostat.app.import_mlflow.registry import Registry
from homeostat.app.import_mlflow.source import MlflowSource
from homeostat.app.import_mlflow.tally import Tally, equal
from homeostat.app.import_mlflow.transfer import Transfer
from homeostat.core.errors import Conflict, HomeostatError, NotFound
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.store import Store, Transaction
from homeostat.core.records.tracking import Experiment, LoggedModel, Point, Run, RunDetail
from homeostat.core.traces import PLACE_TAG, SPANS_TAG, Span, Trace
from homeostat.core.values import Json
from homeostat.track.artifacts import blob_at, logged_model_artifacts, run_artifacts
from homeostat.track.experiments import location_of
from homeostat.track.traces import IN_STORE, place_of

MARK = "homeostat.imported"
NAME_TAG = "mlflow.runName"
_MOST_ID = 2**31 - 1
_SLICE = 20_000
T = TypeVar("T")


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
        self._transfer = Transfer(source=source, store=store, blobs=blobs, clock=clock, actor=actor, tell=tell)
        self._registry = Registry(self._transfer, kept=kept)

    def run(self) -> Tally:
        """Bring everything over and return the count."""
        for experiment in self._in_order():
            try:
                ours = self._experiment(experiment)
            except HomeostatError as error:
                self._transfer.problem(f"experiment '{experiment.name}'", error)
                continue
            self._transfer.tell(f"experiment '{experiment.name}' ({experiment.experiment_id} -> {ours.experiment_id})")
            location = location_of(ours)
            for detail in self._transfer.source.runs(experiment.experiment_id):
                with self._transfer.guarded(f"run {detail.run.run_id}"):
                    self._run(detail, ours, location)
            for logged in self._transfer.source.logged_models(experiment.experiment_id):
                with self._transfer.guarded(f"logged model {logged.model_id}"):
                    self._logged_model(logged, ours, location)
            for trace, spans in self._transfer.source.traces(experiment.experiment_id):
                with self._transfer.guarded(f"trace {trace.trace_id}"):
                    self._trace(trace, spans, ours)
            self._settle(experiment, ours)
        for model in self._transfer.source.models():
            with self._transfer.guarded(f"registered model '{model.name}'"):
                self._registry.bring(model)
        with self._transfer.store.write() as tx:
            self._transfer.note(
                tx,
                "store.imported",
                "store",
                {"here": self._transfer.tally.here, "problems": len(self._transfer.tally.problems)},
            )
        return self._transfer.tally

    # -- experiments

    def _in_order(self) -> list[Experiment]:
        """Those first that can keep their ids, so that no other one takes them."""
        found = list(self._transfer.source.experiments())
        with self._transfer.store.read() as tx:
            taken = {each.experiment_id for each in found if not self._is_free(tx, each.experiment_id)}
        return sorted(found, key=lambda each: each.experiment_id in taken)

    def _experiment(self, experiment: Experiment) -> Experiment:
        """An experiment of that name is taken for the same one; else its id is kept where it is free."""
        with self._transfer.store.write() as tx:
            known = tx.experiments.by_name(experiment.name)
            if known is None:
                wanted = experiment.experiment_id if self._is_free(tx, experiment.experiment_id) else None
                made = tx.experiments.create(
                    experiment.name, tags=experiment.tags, now=experiment.created, experiment_id=wanted
                )
                self._transfer.note(tx, "experiment.imported", f"experiment:{made}", {"name": experiment.name})
                known = tx.experiments.get(made)
            for key, value in experiment.tags.items():
                tx.experiments.set_tag(known.experiment_id, key, value)
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
        with self._transfer.store.write() as tx:
            if tx.experiments.get(ours.experiment_id).lifecycle_stage != experiment.lifecycle_stage:
                tx.experiments.set_stage(ours.experiment_id, experiment.lifecycle_stage, now=experiment.updated)
        with self._transfer.store.read() as tx:
            found = tx.experiments.get(ours.experiment_id)
        self._transfer.tally.add("experiments", 1, 1)
        self._transfer.tally.add("tags", len(experiment.tags), equal(experiment.tags, found.tags))

    # -- runs

    def _run(self, detail: RunDetail, ours: Experiment, location: str) -> None:
        theirs = detail.run
        address = run_artifacts(location, theirs.run_id)
        self._transfer.places[theirs.artifacts.rstrip("/")] = address
        run = replace(
            theirs,
            experiment_id=ours.experiment_id,
            artifacts=address,
            params={},
            metrics={},
            tags={**theirs.tags, **({NAME_TAG: theirs.name} if theirs.name else {})},
        )
        files = self._transfer.files(theirs.artifacts, blob_at(address))
        with self._transfer.store.read() as tx:
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
        points = self._transfer.source.points(detail)
        first = _take(points, _SLICE)
        with self._transfer.store.write() as tx:
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
            with self._transfer.store.write() as tx:
                count += self._log(tx, run, more)
        with self._transfer.store.write() as tx:
            self._finish_run(tx, run, count)
        return count

    def _log(self, tx: Transaction, run: Run, points: list[Point]) -> int:
        if points:
            tx.runs.log_points(run.run_id, run.experiment_id, points)
        return len(points)

    def _finish_run(self, tx: Transaction, run: Run, points: int) -> None:
        tx.runs.set_tags(run.run_id, {MARK: json.dumps({"from": self._transfer.source.name, "points": points})})
        if run.lifecycle_stage != "active":
            tx.runs.set_stage([run.run_id], run.lifecycle_stage, now=run.ended or run.started)
        self._transfer.note(tx, "run.imported", f"run:{run.run_id}", {"points": points, "status": run.status.value})

    def _check_run(self, detail: RunDetail, run: Run, points: int, files: tuple[int, int]) -> None:
        """Count what is here now, equal to what was there."""
        with self._transfer.store.read() as tx:
            found = tx.runs.details([run.run_id])[0]
            here = sum(len(tx.runs.points(run.run_id, key)) for key in sorted({point.key for point in found.latest}))
        tally, theirs = self._transfer.tally, detail.run
        tally.add("runs", 1, int((found.run.status, found.run.lifecycle_stage) == (run.status, run.lifecycle_stage)))
        tally.add("params", len(theirs.params), equal(theirs.params, found.run.params))
        tally.add("tags", len(run.tags), equal(run.tags, found.run.tags))
        tally.add("metrics", len(detail.latest), len(found.latest))
        tally.add("metric points", points, here)
        given = len(detail.datasets) + len(detail.model_inputs) + len(detail.model_outputs)
        tally.add("inputs", given, len(found.datasets) + len(found.model_inputs) + len(found.model_outputs))
        tally.add("files", files[0], files[0])
        tally.add("bytes", files[1], files[1])

    # -- logged models

    def _logged_model(self, model: LoggedModel, ours: Experiment, location: str) -> None:
        address = logged_model_artifacts(location, model.model_id)
        self._transfer.places[model.artifacts.rstrip("/")] = address
        self._transfer.places[f"models:/{model.model_id}"] = address
        files, size = self._transfer.files(model.artifacts, blob_at(address))
        moved = replace(model, experiment_id=ours.experiment_id, artifacts=blob_at(address))
        with self._transfer.store.write() as tx:
            try:
                tx.logged_models.get(model.model_id, allow_deleted=True)
            except NotFound:
                tx.logged_models.add(moved)
                self._transfer.note(tx, "logged_model.imported", f"logged_model:{model.model_id}", {"name": model.name})
            else:
                tx.logged_models.update(moved)
                tx.logged_models.set_tags(model.model_id, model.tags)
            tx.logged_models.log_metrics(model.metrics)
        with self._transfer.store.read() as tx:
            found = tx.logged_models.get(model.model_id, allow_deleted=True)
        self._transfer.tally.add("logged models", 1, int(found.status is model.status))
        self._transfer.tally.add("params", len(model.params), equal(model.params, found.params))
        self._transfer.tally.add("tags", len(model.tags), equal(model.tags, found.tags))
        self._transfer.tally.add("metric points", len(model.metrics), len(found.metrics))
        self._transfer.tally.add("files", files, files)
        self._transfer.tally.add("bytes", size, size)

    # -- traces

    def _trace(self, trace: Trace, spans: list[Span], ours: Experiment) -> None:
        tags = {**trace.tags, PLACE_TAG: place_of(ours.experiment_id, trace.trace_id)}
        if spans:
            tags[SPANS_TAG] = IN_STORE
        with self._transfer.store.write() as tx:
            tx.traces.put(replace(trace, experiment_id=ours.experiment_id, tags=tags))
            tx.traces.put_spans(spans)
        files = (0, 0)
        if old := trace.tags.get(PLACE_TAG):
            files = self._transfer.files(old, blob_at(place_of(ours.experiment_id, trace.trace_id)))
        with self._transfer.store.read() as tx:
            here = tx.traces.count_spans([trace.trace_id])[trace.trace_id]
            found = tx.traces.get(trace.trace_id)
        self._transfer.tally.add("traces", 1, int(len(found.assessments) == len(trace.assessments)))
        self._transfer.tally.add("spans", len(spans), here)
        self._transfer.tally.add("files", files[0], files[0])
        self._transfer.tally.add("bytes", files[1], files[1])


def _mark_of(run: Run | None) -> Json | None:
    try:
        found = json.loads(run.tags.get(MARK, "null")) if run else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("points"), int) else None


def _take(found: Iterator[T], most: int) -> list[T]:
    return list(islice(found, most))
