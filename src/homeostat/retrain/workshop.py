"""Where candidates are made: from the data of a project to a trained, judged, registered version. A cycle and the commands share it."""

import hashlib
import io
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from homeostat.core.columns import Signature
from homeostat.core.errors import InvalidInput, Quarantined
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.data import TableStore
from homeostat.core.ports.probe import CandidateProbe
from homeostat.core.ports.store import Store
from homeostat.core.records.data import DatasetVersion
from homeostat.core.records.registry import GateReport, ModelVersion
from homeostat.core.records.tracking import Run
from homeostat.data.kinds import infer_kinds
from homeostat.data.sources import read
from homeostat.data.split import Split, refuse_leaks, split
from homeostat.data.versions import commit, load
from homeostat.gate.evaluate import evaluate
from homeostat.registry.adopting import adopt, adopted_signature, refuse_without_package
from homeostat.registry.declared import declared, examine
from homeostat.registry.versions import CHAMPION, package_of, register
from homeostat.retrain.capture import MARK, PRODUCTION, settled
from homeostat.retrain.learnable import learnable
from homeostat.retrain.project import Project
from homeostat.retrain.refit import takes_its_place
from homeostat.serve.settings import RecordSettings
from homeostat.track.predictions import Predictions
from homeostat.track.runs import artifacts_of
from homeostat.track.usual import primary
from homeostat.train.frames import target
from homeostat.train.run import train_run
from homeostat.train.runner import InterpreterOf, ours
from homeostat.train.settings import TrainSettings
from homeostat.train.signature import from_json, signature_of, to_json
from homeostat.train.trial import trial_run
from homeostat.watch.baseline import baseline_of, keep_baseline
from homeostat.watch.reference import build_reference, keep_reference


def key_of(frame: pl.DataFrame) -> str:
    """Return a key that follows from the rows and their columns: the same batch is not added twice."""
    content = io.BytesIO()
    frame.write_ipc(content)
    return f"rows:{hashlib.sha256(content.getbuffer()).hexdigest()[:32]}"


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """A project and all that making a version of its model needs. `probe` None: the gate does without its infrastructure check."""

    project: Project
    store: Store
    tables: TableStore
    blobs: BlobStore
    clock: Clock
    probe: CandidateProbe | None
    root: Path
    workdir: Path
    actor: str
    interpreter_of: InterpreterOf = ours

    def data(self) -> DatasetVersion:
        """Return the newest version of the data; where there is none, the source is read and becomes the first."""
        with self.store.read() as tx:
            known = tx.datasets.latest(self.project.model)
        if known is not None:
            return known
        return self.commit_source(self.project.data.source, query=self.project.data.query)

    def commit_source(self, source: str, *, query: str | None = None) -> DatasetVersion:
        """Add what is at an address, or return the version that these very rows became before."""
        frame = read(source, query=query, root=self.root)
        return self.commit(frame, source=source, key=key_of(frame))

    def commit_captured(
        self, rows: pl.DataFrame, *, key: str, spares: Callable[[Quarantined], None] | None = None
    ) -> DatasetVersion:
        """Add what production taught: requests need bring neither keys nor excluded columns, and a corrected row comes again.

        A few rows that break the contract are set aside by themselves, where `spares` is told: one odd request must not keep a model from learning.
        """
        roles = self.project.data.roles
        may_lack = (*roles.key, *roles.exclude)
        return self.commit(
            rows, source=PRODUCTION, key=key, may_lack=may_lack, mark=MARK, limits_size=False, spares=spares
        )

    def commit(
        self,
        frame: pl.DataFrame,
        *,
        source: str,
        key: str | None,
        may_lack: Collection[str] = (),
        mark: str | None = None,
        limits_size: bool = True,
        spares: Callable[[Quarantined], None] | None = None,
    ) -> DatasetVersion:
        """Add rows to the data; raise Quarantined where they break the contract."""
        data = self.project.data
        return commit(
            frame,
            store=self.store,
            tables=self.tables,
            blobs=self.blobs,
            dataset=self.project.model,
            roles=data.roles,
            kinds=infer_kinds(frame, {name: kind for name, kind in data.columns.items() if name in frame.columns}),
            settings=data.contract,
            source=source,
            actor=self.actor,
            now=self.clock.now(),
            key=key,
            may_lack=may_lack,
            mark=mark,
            limits_size=limits_size,
            spares=spares,
        )

    def material(self, number: int, settings: TrainSettings) -> tuple[DatasetVersion, Split, Signature]:
        """Return what is learned from and tested on in a data version; raise InvalidInput where the split would leak."""
        version, frame = load(store=self.store, tables=self.tables, dataset=self.project.model, version=number)
        data = self.project.data
        rows = learnable(settled(frame), roles=data.roles, settings=settings)
        kinds = infer_kinds(rows, data.columns)
        signature = signature_of(rows, roles=data.roles, kinds=kinds, task=self.project.task)
        parts = split(rows, roles=data.roles, test_share=settings.test_share, seed=settings.seed)
        refuse_leaks(parts, data.roles)
        return version, parts, signature

    def train(self, number: int, *, settings: TrainSettings, run_id: str, use_cache: bool = True) -> Run:
        """Return the finished run of that id; raise JobFailed where the user's code did."""
        version, parts, signature = self.material(number, settings)
        return self._trained(version, parts, signature, settings=settings, run_id=run_id, use_cache=use_cache)

    def _trained(
        self,
        version: DatasetVersion,
        parts: Split,
        signature: Signature,
        *,
        settings: TrainSettings,
        run_id: str,
        use_cache: bool = True,
        refit_of: str | None = None,
    ) -> Run:
        return train_run(
            store=self.store,
            blobs=self.blobs,
            clock=self.clock,
            run_id=run_id,
            experiment=self.project.model,
            dataset_version=version,
            split=parts,
            roles=self.project.data.roles,
            signature=signature,
            settings=settings,
            root=self.root,
            workdir=self.workdir / run_id,
            actor=self.actor,
            use_cache=use_cache,
            refit_of=refit_of,
        )

    def adopt(self, model: str, version: int, number: int, *, settings: TrainSettings, run_id: str) -> Run:
        """Return the finished run in which a version that a client registered answered the test rows of a data version.

        Raises InvalidInput where its package does not fit the data or reads what is not recorded, NotFound where it has none, JobFailed where it does not answer.
        """
        with self.store.read() as tx:
            candidate = tx.models.get(model, version)
            if tx.models.alias(model, CHAMPION) == version:
                raise InvalidInput(f"{model} version {version} is the champion already", hint="adopt another version")
        if not candidate.digests and candidate.location:  # its files may have come after it was registered
            candidate = replace(candidate, digests=examine(self.blobs, candidate.location).digests)
        refuse_without_package(candidate)
        package = package_of(candidate, blobs=self.blobs)
        said = declared(self.blobs, candidate.location)
        assert said is not None  # it has files, the MLmodel file among them
        data_version, parts, signature = self.material(number, settings)
        signature = adopted_signature(said, signature) if said.own is None else from_json(said.own)
        _refuse_unrecorded(signature, self.project.record)
        return trial_run(
            store=self.store,
            blobs=self.blobs,
            clock=self.clock,
            run_id=run_id,
            experiment=self.project.model,
            version=candidate,
            package=package,
            dataset_version=data_version,
            split=parts,
            roles=self.project.data.roles,
            signature=signature,
            settings=settings,
            root=self.root,
            workdir=self.workdir / run_id,
            actor=self.actor,
            interpreter=self.interpreter_of(package),
        )

    def adopted(self, run: Run) -> ModelVersion | None:
        """Return the version that a run tried, with the digests of its files; None for a run that trained a model."""
        tried = run.facts.get("adopted")
        if tried is None:
            return None
        with self.store.read() as tx:
            found = tx.models.get(tried["model"], tried["version"])
        return found if found.digests else replace(found, digests=examine(self.blobs, found.location).digests)

    def judge(self, run: Run, *, settings: TrainSettings, report_id: str) -> GateReport:
        """Return the gate's report on the run, held against the present champion."""
        _, parts, signature = self.material(run.facts["dataset_version"], settings)
        tried = self.adopted(run)
        return evaluate(
            store=self.store,
            blobs=self.blobs,
            clock=self.clock,
            run=run,
            model=self.project.model,
            test=parts.test,
            roles=self.project.data.roles,
            signature=signature if tried is None else from_json(run.facts["signature"]),
            settings=self.project.gate,
            train_settings=settings,
            champion=self._as_tested(self.champion()),
            probe=self.probe,
            root=self.root,
            workdir=self.workdir / run.run_id,
            actor=self.actor,
            report_id=report_id,
            train_target=parts.train[self.project.data.target],
            package=None if tried is None else tried.location,
            interpreter_of=self.interpreter_of,
        )

    def _as_tested(self, champion: ModelVersion | None) -> ModelVersion | None:
        """Return the champion as it was before it learned from its own test rows.

        A candidate is tested on many of them again, and cannot be held against a model that has seen them.
        """
        tested = None if champion is None else champion.lineage.get("refit_of")
        if champion is None or tested is None or not self.blobs.exists(f"{artifacts_of(tested)}/model"):
            return champion
        return replace(champion, location=f"{artifacts_of(tested)}/model")

    def refit(self, tested: Run, *, settings: TrainSettings, run_id: str) -> Run:
        """Return the run whose model learned from all rows, the tested ones included; the tested run itself where that brings nothing.

        The second model saw the test rows, so it must not be worse on them than the one that had not: else something is odd about it.
        """
        if not settings.refit or "adopted" in tested.facts:  # what a client made is not ours to train anew
            return tested
        version, parts, signature = self.material(tested.facts["dataset_version"], settings)
        whole = Split(train=pl.concat([parts.train, parts.test]), test=parts.test, how=f"{parts.how}; then all rows")
        run = self._trained(version, whole, signature, settings=settings, run_id=run_id, refit_of=tested.run_id)
        y = target(parts.test[self.project.data.target], signature.task)
        better = takes_its_place(self._answers(run, signature), self._answers(tested, signature), y, signature.task)
        return run if better else tested

    def _answers(self, run: Run, signature: Signature) -> Predictions:
        """Return what the run's model said of the test rows."""
        found = pl.read_parquet(self.blobs.local(f"{run.artifacts}/test_predictions.parquet"))
        return Predictions.from_frame(found, classes=signature.classes)

    def champion(self) -> ModelVersion | None:
        """Return the champion, its files checked, or None where there is none yet."""
        with self.store.read() as tx:
            number = tx.models.alias(self.project.model, CHAMPION)
            version = None if number is None else tx.models.get(self.project.model, number)
        if version is not None:
            package_of(version, blobs=self.blobs)
        return version

    def register(self, run: Run, report: GateReport | None, *, settings: TrainSettings) -> ModelVersion:
        """Return the version that the run becomes (or that it tried), and keep what it looked like on rows that it had not learned from."""
        signature = from_json(run.facts.get("served_signature") or run.facts["signature"])
        version = self._version(run, report, signature)
        _, parts, _ = self.material(run.facts["dataset_version"], settings)
        tested = artifacts_of(run.facts.get("refit_of") or run.run_id)
        answers = pl.read_parquet(self.blobs.local(f"{tested}/test_predictions.parquet"))
        y = target(parts.test[self.project.data.target], signature.task)
        predictions = Predictions.from_frame(answers, classes=signature.classes)
        kinds = {column.name: column.kind for column in signature.columns}
        beside = [name for name in self.project.group_columns if name in parts.test.columns]
        groups = infer_kinds(parts.test.select(beside), self.project.data.columns)
        reference = build_reference(
            parts.test,
            y,
            predictions,
            kinds=kinds,
            task=signature.task,
            metric=self.project.watch.metric or primary(signature.task),
            version=version.version,
            groups=groups,
        )
        with self.store.write() as tx:
            keep_reference(tx, version.model, reference)
            keep_baseline(
                tx,
                version.model,
                version.version,
                baseline_of(parts.test, y, predictions, kinds=kinds | groups, task=signature.task),
            )
        return version

    def _version(self, run: Run, report: GateReport | None, signature: Signature) -> ModelVersion:
        tried = self.adopted(run)
        if tried is None:
            return register(
                store=self.store,
                blobs=self.blobs,
                model=self.project.model,
                run=run,
                signature=to_json(signature),
                report=report,
                actor=self.actor,
                now=self.clock.now(),
            )
        if report is None:
            raise InvalidInput(
                f"run '{run.run_id}' has not been judged", hint=f"`homeostat check --run {run.run_id[:12]}`"
            )
        with self.store.write() as tx:
            return adopt(
                tx,
                tried,
                signature=signature,
                report=report,
                lineage={"dataset": run.facts["dataset"], "dataset_version": run.facts["dataset_version"]},
                actor=self.actor,
                now=self.clock.now(),
                key=f"adopt:{tried.model}:{tried.version}:{report.report_id}",
            )


def _refuse_unrecorded(signature: Signature, record: RecordSettings) -> None:
    personal = [name for name in signature.names if name in record.drop or name in record.hash]
    if personal:
        raise InvalidInput(
            f"the version reads '{personal[0]}', which is not recorded as it is: it could not be watched",
            hint="train it without that column, or take the column off record.drop and record.hash",
        )
