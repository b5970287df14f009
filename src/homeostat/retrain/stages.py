"""The stages of a cycle on the real stores and real traffic. Each may be repeated after a crash and then finds its first result.

Ids follow from the cycle's, and every change of state is keyed by cycle and step, so that a repeated step changes nothing twice.
"""

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import polars as pl

from homeostat.audit.log import record
from homeostat.core.columns import Signature
from homeostat.core.errors import Quarantined, Unreachable
from homeostat.core.ids import derived_id
from homeostat.core.ports import BlobStore, CandidateProbe, Clock, Json, RecordLog, Store, TableStore, Transaction
from homeostat.core.records import Cycle, CycleState, DatasetVersion, ModelVersion, Run
from homeostat.data.kinds import conform, infer_kinds
from homeostat.data.sources import read
from homeostat.data.split import Split, split
from homeostat.data.versions import commit, load
from homeostat.gate.evaluate import evaluate
from homeostat.registry.routing import promote, send_traffic
from homeostat.registry.versions import CHALLENGER, CHAMPION, package_of, register
from homeostat.retrain.capture import captured, settled
from homeostat.retrain.cycle import CycleRequest
from homeostat.retrain.learnable import learnable
from homeostat.retrain.project import Project
from homeostat.retrain.settings import CanaryStep, Rollout
from homeostat.serve.canary import judge
from homeostat.serve.canary_stats import step_stats
from homeostat.track.metrics import primary
from homeostat.track.predictions import Predictions
from homeostat.train.frames import target
from homeostat.train.run import train_run
from homeostat.train.settings import TrainSettings
from homeostat.train.signature import from_json, signature_of, to_json
from homeostat.watch.reference import build_reference, keep_reference

log = logging.getLogger(__name__)

_ALIVE = timedelta(seconds=5)
_SWITCH_S = 60.0


@dataclass(frozen=True, kw_only=True)
class LiveStages:
    """Implements cycle.Stages. `pause` waits the given seconds (and may raise to stop the process)."""

    request: CycleRequest
    project: Project
    store: Store
    tables: TableStore
    blobs: BlobStore
    records: RecordLog
    clock: Clock
    probe: CandidateProbe | None
    root: Path
    workdir: Path
    pause: Callable[[float], None]
    actor: str = "homeostat"

    # -- what is learned from

    def open(self) -> Json:
        with self.store.write() as tx:
            self._note(tx, "opened")
            self._record(tx, "cycle.started", {"trigger": self.request.trigger, "because": self.request.because})
            return {"champion": tx.models.alias(self.request.model, CHAMPION)}

    def snapshot(self) -> Json:
        self._stage("snapshot")
        now = self.clock.now()
        version = self._first_version() or self._capture()
        return {"dataset": version.dataset, "version": version.version, "rows": version.rows, "as_of": now.isoformat()}

    def _first_version(self) -> DatasetVersion | None:
        """Commit the project's source where there is no version yet."""
        with self.store.read() as tx:
            known = tx.datasets.latest(self.request.model)
        if known is not None:
            return None
        data = self.project.data
        frame = read(data.source, query=data.query, root=self.root)
        return self._commit(frame, source=data.source, key="first")

    def _capture(self) -> DatasetVersion:
        """Add what production taught since the last version; a batch that breaks the contract is quarantined and the cycle goes on without."""
        with self.store.read() as tx:
            latest = tx.datasets.latest(self.request.model)
            champion = tx.models.alias(self.request.model, CHAMPION)
            again = tx.datasets.by_key(self.request.model, self._key("capture"))
            version = None if champion is None else tx.models.get(self.request.model, champion)
        assert latest is not None
        if again is not None or version is None:
            return again or latest
        _, held = load(store=self.store, tables=self.tables, dataset=self.request.model)
        rows = captured(
            self.records.read("predictions", self.request.model),
            self.records.read("labels", self.request.model),
            signature=from_json(version.signature),
            roles=self.project.data.roles,
            schema=dict(held.schema),
            known=held,
        )
        if rows.is_empty():
            return latest
        try:
            return self._commit(rows, source="production", key=self._key("capture"))
        except Quarantined as error:
            log.warning("captured rows were quarantined: %s", error.message)
            return latest

    def _commit(self, frame: pl.DataFrame, *, source: str, key: str) -> DatasetVersion:
        data = self.project.data
        kinds = infer_kinds(frame, data.columns)
        return commit(
            conform(frame, kinds),
            store=self.store,
            tables=self.tables,
            blobs=self.blobs,
            dataset=self.request.model,
            roles=data.roles,
            kinds=kinds,
            settings=data.contract,
            source=source,
            actor=self.actor,
            now=self.clock.now(),
            key=key,
        )

    # -- from data to a judged version

    def train(self, snapshot: Json) -> Json:
        self._stage("train")
        version, parts, signature = self._learnable(snapshot)
        run_id = self._run_id
        self._forget_workdir(run_id)
        run = train_run(
            store=self.store,
            blobs=self.blobs,
            clock=self.clock,
            run_id=run_id,
            experiment=self.request.model,
            dataset_version=version,
            split=parts,
            roles=self.project.data.roles,
            signature=signature,
            settings=self._training,
            root=self.root,
            workdir=self.workdir / run_id,
            actor=self.actor,
        )
        return {"run_id": run.run_id}

    def gate(self, snapshot: Json, trained: Json) -> Json:
        self._stage("gate", run_id=trained["run_id"])
        _, parts, signature = self._learnable(snapshot)
        run = self._run(trained)
        champion = self._champion()
        report = evaluate(
            store=self.store,
            blobs=self.blobs,
            clock=self.clock,
            run=run,
            model=self.request.model,
            test=parts.test,
            roles=self.project.data.roles,
            signature=signature,
            settings=self.project.gate,
            train_settings=self._training,
            champion=champion,
            probe=self.probe,
            root=self.root,
            workdir=self.workdir / run.run_id,
            actor=self.actor,
            report_id=derived_id(self.request.cycle_id, "gate"),
        )
        failed = [result for result in report.body["results"] if result["passed"] is False]
        told = "; ".join(f"{result['check']}: {result['reason']}" for result in failed[:3])
        return {
            "passed": report.passed,
            "report_id": report.report_id,
            "summary": "the gate passed" if report.passed else f"the gate stopped it: {told}",
        }

    def register(self, trained: Json, judged: Json) -> Json:
        run = self._run(trained)
        with self.store.read() as tx:
            report = tx.models.report(judged["report_id"])
        signature = from_json(run.facts["signature"])
        version = register(
            store=self.store,
            blobs=self.blobs,
            model=self.request.model,
            run=run,
            signature=to_json(signature),
            report=report,
            actor=self.actor,
            now=self.clock.now(),
        )
        self._keep_reference(version, run, signature)
        self._stage("registered", version=version.version)
        return {"version": version.version}

    def _keep_reference(self, version: ModelVersion, run: Run, signature: Signature) -> None:
        """Keep what the version looked like on rows it had not learned from: later windows are compared with it."""
        snapshot = {"dataset": run.facts["dataset"], "version": run.facts["dataset_version"]}
        _, parts, _ = self._learnable(snapshot)
        answers = pl.read_parquet(self.blobs.local(f"{run.artifacts}/test_predictions.parquet"))
        reference = build_reference(
            parts.test,
            target(parts.test[self.project.data.target], signature.task),
            Predictions.from_frame(answers, classes=signature.classes),
            kinds={column.name: column.kind for column in signature.columns},
            task=signature.task,
            metric=self.project.watch.metric or primary(signature.task),
            version=version.version,
        )
        with self.store.write() as tx:
            keep_reference(tx, version.model, reference)

    def await_approval(self, version: int) -> Json:
        self._stage("approval", version=version)
        deadline = self._asked("approval") + self.project.retrain.approval_timeout
        while True:
            with self.store.read() as tx:
                word = tx.audit.by_key(self._key("approval"))
            if word is not None:
                reason = word.payload.get("reason") or "no reason given"
                return {
                    "approved": word.kind == "cycle.approved",
                    "because": f"{word.actor} said {word.kind.partition('.')[2]}: {reason}",
                }
            if self.clock.now() >= deadline:
                return {"approved": False, "because": f"nobody approved version {version} in time"}
            if cancelled := self._cancelled():
                return {"approved": False, "because": cancelled}
            self.pause(self.project.retrain.rollout.poll.total_seconds())

    # -- into traffic and out of it

    def shadow(self, version: int) -> Json:
        self._stage("shadow", version=version)
        return self._send(version, "shadow", shadow=version)

    def canary(self, version: int, percent: float, name: str) -> Json:
        self._stage(f"canary {percent:g}%", version=version)
        return self._send(version, name, canary=version, canary_percent=percent)

    def hold(self, version: int, step: CanaryStep, rollout: Rollout, *, name: str) -> Json:
        with self.store.read() as tx:
            champion = tx.models.alias(self.request.model, CHAMPION)
            signature = from_json(tx.models.get(self.request.model, version).signature)
        assert champion is not None
        while True:
            with self.store.read() as tx:
                route = tx.routes.get(self.request.model)
            if route is None or version not in (route.shadow, route.canary) or route.since is None:
                return {"action": "roll_back", "because": f"version {version} was taken out of traffic by hand"}
            if cancelled := self._cancelled():
                return {"action": "roll_back", "because": cancelled}
            since = route.since
            stats = step_stats(
                self.records.read("predictions", self.request.model, since=since),
                self.records.read("labels", self.request.model, since=since),
                champion=champion,
                candidate=version,
                since=since,
                now=self.clock.now(),
                task=signature.task,
                classes=signature.classes,
            )
            advice = judge(stats, step, rollout, is_last=True)
            if advice.action != "hold":
                return {"action": advice.action, "because": f"{name}: {advice.because}"}
            self.pause(rollout.poll.total_seconds())

    def promote(self, version: int) -> Json:
        route = promote(
            store=self.store,
            model=self.request.model,
            version=version,
            actor=self.actor,
            now=self.clock.now(),
            force=self.request.force,
            key=self._key("promote"),
        )
        self._await_workers(route.generation)
        return {"generation": route.generation}

    def withdraw(self, version: int, because: str) -> Json:
        route = send_traffic(
            store=self.store,
            model=self.request.model,
            actor=self.actor,
            now=self.clock.now(),
            because=because,
            key=self._key("withdraw"),
        )
        with self.store.write() as tx:
            if tx.models.alias(self.request.model, CHALLENGER) == version:
                tx.models.set_alias(self.request.model, CHALLENGER, None)
            self._record(tx, "model_version.rolled_back", {"version": version, "because": because})
        self._await_workers(route.generation)
        return {"generation": route.generation}

    def close(self, state: CycleState, because: str, outcome: Json) -> Json:
        with self.store.write() as tx:
            cycle = tx.cycles.get(self.request.cycle_id)
            over = replace(
                cycle, state=state, stage=state.value, ended=self.clock.now(), outcome={**outcome, "because": because}
            )
            tx.cycles.put(over)
            self._record(tx, f"cycle.{state.value}", {"because": because, "version": cycle.version})
        self._forget_workdir(self._run_id)
        log.info("cycle %s: %s (%s)", self.request.cycle_id, state.value, because)
        return {"state": state.value, "because": because}

    # -- small print

    @property
    def _run_id(self) -> str:
        return derived_id(self.request.cycle_id, "run")

    @property
    def _training(self) -> TrainSettings:
        """The project's settings with what this cycle was asked to do otherwise."""
        settings = self.project.training
        options = self.request.options
        return msgspec.structs.replace(
            settings,
            function=options.get("train") or settings.function,
            seed=options.get("seed", settings.seed),
            params={**settings.params, **options.get("params", {})},
        )

    def _learnable(self, snapshot: Json) -> tuple[DatasetVersion, Split, Signature]:
        version, frame = load(
            store=self.store, tables=self.tables, dataset=snapshot["dataset"], version=snapshot["version"]
        )
        data = self.project.data
        rows = learnable(settled(frame), roles=data.roles, settings=self._training)
        kinds = infer_kinds(rows, data.columns)
        signature = signature_of(rows, roles=data.roles, kinds=kinds, task=self.project.task)
        parts = split(rows, roles=data.roles, test_share=self._training.test_share, seed=self._training.seed)
        return version, parts, signature

    def _run(self, trained: Json) -> Run:
        with self.store.read() as tx:
            return tx.runs.get(trained["run_id"])

    def _champion(self) -> ModelVersion | None:
        with self.store.read() as tx:
            number = tx.models.alias(self.request.model, CHAMPION)
            version = None if number is None else tx.models.get(self.request.model, number)
        if version is not None:
            package_of(version, blobs=self.blobs)
        return version

    def _send(
        self,
        version: int,
        name: str,
        *,
        shadow: int | None = None,
        canary: int | None = None,
        canary_percent: float = 0.0,
    ) -> Json:
        route = send_traffic(
            store=self.store,
            model=self.request.model,
            actor=self.actor,
            now=self.clock.now(),
            shadow=shadow,
            canary=canary,
            canary_percent=canary_percent,
            because=f"cycle {self.request.cycle_id[:12]}: {name} of version {version}",
            force=self.request.force,
            key=self._key(name),
        )
        self._await_workers(route.generation)
        return {"generation": route.generation}

    def _await_workers(self, generation: int) -> None:
        """Return when every live worker has switched; raise Unreachable where one does not."""
        asked = self.clock.now()
        while True:
            now = self.clock.now()
            with self.store.read() as tx:
                behind = [
                    worker.worker_id
                    for worker in tx.routes.workers(alive_since=now - _ALIVE)
                    if worker.generations.get(self.request.model, 0) < generation
                ]
            if not behind:
                return
            if (now - asked).total_seconds() > _SWITCH_S:
                raise Unreachable(
                    f"workers {', '.join(behind)} did not switch '{self.request.model}' to generation {generation}",
                    hint="`homeostat status` shows them; their log says why",
                )
            self.pause(0.05)

    def _asked(self, stage: str) -> datetime:
        """Return when this stage was first reached."""
        with self.store.write() as tx:
            return record(
                tx,
                f"cycle.{stage}_asked",
                subject=f"cycle:{self.request.cycle_id}",
                actor=self.actor,
                time=self.clock.now(),
                key=self._key(f"{stage}_asked"),
            ).time

    def _cancelled(self) -> str | None:
        with self.store.read() as tx:
            asked = tx.cycles.get(self.request.cycle_id).options.get("cancel")
        return None if asked is None else f"cancelled by {asked}"

    def _stage(self, stage: str, *, run_id: str | None = None, version: int | None = None) -> None:
        with self.store.write() as tx:
            self._note(tx, stage, run_id=run_id, version=version)

    def _note(self, tx: Transaction, stage: str, *, run_id: str | None = None, version: int | None = None) -> None:
        cycle: Cycle = tx.cycles.get(self.request.cycle_id)
        tx.cycles.put(replace(cycle, stage=stage, run_id=run_id or cycle.run_id, version=version or cycle.version))

    def _record(self, tx: Transaction, kind: str, payload: Json) -> None:
        record(
            tx,
            kind,
            subject=f"cycle:{self.request.cycle_id}",
            actor=self.actor,
            time=self.clock.now(),
            payload={"model": self.request.model, **payload},
            key=self._key(kind),
        )

    def _key(self, what: str) -> str:
        return f"{self.request.cycle_id}:{what}"

    def _forget_workdir(self, run_id: str) -> None:
        shutil.rmtree(self.workdir / run_id, ignore_errors=True)
