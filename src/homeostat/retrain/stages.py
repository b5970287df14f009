"""The stages of a cycle on the real stores and real traffic. Each may be repeated after a crash and then finds its first result.

Ids follow from the cycle's, and every change of state is keyed by cycle and step, so that a repeated step changes nothing twice.
"""

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import msgspec

from homeostat.core.errors import JobKilled, Quarantined
from homeostat.core.ids import derived_id
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.data import TableStore
from homeostat.core.ports.probe import CandidateProbe
from homeostat.core.ports.record_log import RecordLog
from homeostat.core.ports.store import Store
from homeostat.core.records.cycles import CycleState
from homeostat.core.records.data import DatasetVersion
from homeostat.core.records.tracking import Run
from homeostat.core.values import Json
from homeostat.data.quarantine import set_aside
from homeostat.data.versions import load
from homeostat.registry.versions import CHAMPION
from homeostat.retrain.capture import PRODUCTION, captured
from homeostat.retrain.cycle import CycleRequest
from homeostat.retrain.journal import CycleJournal
from homeostat.retrain.project import Project
from homeostat.retrain.restacking import recorded_settings, stacked_settings
from homeostat.retrain.settings import CanaryStep, Rollout
from homeostat.retrain.traffic import Traffic
from homeostat.retrain.workshop import Workshop
from homeostat.train.runner import InterpreterOf, ours
from homeostat.train.settings import TrainSettings
from homeostat.train.signature import from_json
from homeostat.watch.drawing import drawn

log = logging.getLogger(__name__)

MOST_CAPTURED = 1_000_000  # rows of the record that are held in memory to learn from


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
    interpreter_of: InterpreterOf = ours

    # -- what is learned from

    def open(self) -> Json:
        with self.store.write() as tx:
            self._journal.note(tx, "opened")
            self._journal.record(
                tx, "cycle.started", {"trigger": self.request.trigger, "because": self.request.because}
            )
            return {"champion": tx.models.alias(self.request.model, CHAMPION)}

    def snapshot(self) -> Json:
        self._journal.stage("snapshot")
        now = self.clock.now()
        with self.store.read() as tx:
            known = tx.datasets.latest(self.request.model)
        version = self._shop.data() if known is None else self._capture()
        return {"dataset": version.dataset, "version": version.version, "rows": version.rows, "as_of": now.isoformat()}

    def _capture(self) -> DatasetVersion:
        """Add what production taught since the last version; what breaks the contract is quarantined and the cycle goes on without.

        What was set aside before waits for a person, and is not captured again: else it would take all later rows with it.
        """
        with self.store.read() as tx:
            latest = tx.datasets.latest(self.request.model)
            champion = tx.models.alias(self.request.model, CHAMPION)
            again = tx.datasets.by_key(self.request.model, self._journal.key("capture"))
            version = None if champion is None else tx.models.get(self.request.model, champion)
            quarantined = tx.datasets.quarantined(self.request.model)
        assert latest is not None
        if again is not None or version is None:
            return again or latest
        _, held = load(store=self.store, tables=self.tables, dataset=self.request.model)
        read = drawn(self.records, self.request.model, since=None, most=MOST_CAPTURED)
        if read.share < 1:
            log.warning("record.captured_in_part", extra={"model": self.request.model, "share": f"{read.share:.2g}"})
        rows = captured(
            read.predictions,
            read.labels,
            signature=from_json(version.signature),
            roles=self.project.data.roles,
            schema=dict(held.schema),
            known=chain([held], set_aside(quarantined, self.blobs, source=PRODUCTION)),
        )
        if rows.is_empty():
            return latest
        try:
            return self._shop.commit_captured(rows, key=self._journal.key("capture"), spares=_warn)
        except Quarantined as error:
            _warn(error)
            return latest

    # -- from data to a judged version

    def train(self, snapshot: Json) -> Json:
        self._journal.stage("train")
        self._forget_workdir(self._run_id)
        number, settings, run_id = snapshot["version"], self._training_on(snapshot["version"]), self._run_id
        if (given := self.request.version) is not None:
            run = self._shop.adopt(self.request.model, given, number, settings=settings, run_id=run_id)
        else:
            run = _once_more_if_killed(lambda: self._shop.train(number, settings=settings, run_id=run_id))
        return {"run_id": run.run_id}

    def gate(self, snapshot: Json, trained: Json) -> Json:  # noqa: ARG002 - the run names its data version
        self._journal.stage("gate", run_id=trained["run_id"])
        run = self._run(trained)
        report = self._shop.judge(
            run,
            settings=recorded_settings(run, self._training),
            report_id=derived_id(self.request.cycle_id, "gate"),
        )
        failed = [result for result in report.body["results"] if result["passed"] is False]
        told = "; ".join(f"{result['check']}: {result['reason']}" for result in failed[:3])
        return {
            "passed": report.passed,
            "report_id": report.report_id,
            "summary": "the gate passed" if report.passed else f"the gate stopped it: {told}",
        }

    def refit(self, snapshot: Json, trained: Json) -> Json:
        del snapshot  # the run knows its data version
        self._journal.stage("refit")
        run_id = derived_id(self.request.cycle_id, "refit")
        tested = self._run(trained)
        settings = recorded_settings(tested, self._training)
        run = _once_more_if_killed(lambda: self._shop.refit(tested, settings=settings, run_id=run_id))
        return {"run_id": run.run_id}

    def register(self, trained: Json, judged: Json) -> Json:
        run = self._run(trained)
        with self.store.read() as tx:
            report = tx.models.report(judged["report_id"])
        version = self._shop.register(run, report, settings=recorded_settings(run, self._training))
        self._journal.stage("registered", version=version.version)
        return {"version": version.version}

    def await_approval(self, version: int) -> Json:
        self._journal.stage("approval", version=version)
        deadline = self._journal.asked("approval") + self.project.retrain.approval_timeout
        while True:
            with self.store.read() as tx:
                word = tx.audit.by_key(self._journal.key("approval"))
            if word is not None:
                reason = word.payload.get("reason") or "no reason given"
                return {
                    "approved": word.kind == "cycle.approved",
                    "because": f"{word.actor} said {word.kind.partition('.')[2]}: {reason}",
                }
            if self.clock.now() >= deadline:
                return {"approved": False, "because": f"nobody approved version {version} in time"}
            if cancelled := self._journal.cancelled():
                return {"approved": False, "because": cancelled}
            self.pause(self.project.retrain.rollout.poll.total_seconds())

    # -- into traffic and out of it

    def shadow(self, version: int) -> Json:
        return self._traffic.shadow(version)

    def canary(self, version: int, percent: float, name: str) -> Json:
        return self._traffic.canary(version, percent, name)

    def hold(self, version: int, step: CanaryStep, rollout: Rollout, *, name: str) -> Json:
        return self._traffic.hold(version, step, rollout, name=name)

    def promote(self, version: int) -> Json:
        return self._traffic.promote(version)

    def withdraw(self, version: int, because: str) -> Json:
        return self._traffic.withdraw(version, because)

    def close(self, state: CycleState, because: str, outcome: Json) -> Json:
        with self.store.write() as tx:
            cycle = tx.cycles.get(self.request.cycle_id)
            over = replace(
                cycle, state=state, stage=state.value, ended=self.clock.now(), outcome={**outcome, "because": because}
            )
            tx.cycles.put(over)
            self._journal.record(tx, f"cycle.{state.value}", {"because": because, "version": cycle.version})
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

    def _training_on(self, number: int) -> TrainSettings:
        """The settings for a data version: where the policy is a stack, and nothing else was asked for, the champion's is renewed."""
        is_asked = self.request.version is not None or self.request.options.get("train")
        if self.project.retrain.policy != "stack" or is_asked:
            return self._training
        return stacked_settings(
            self._shop, self._training, number=number, cycle_id=self.request.cycle_id, store=self.store
        )

    @property
    def _journal(self) -> CycleJournal:
        return CycleJournal(request=self.request, store=self.store, clock=self.clock, actor=self.actor)

    @property
    def _traffic(self) -> Traffic:
        return Traffic(
            request=self.request,
            project=self.project,
            store=self.store,
            records=self.records,
            clock=self.clock,
            journal=self._journal,
            pause=self.pause,
            actor=self.actor,
        )

    @property
    def _shop(self) -> Workshop:
        return Workshop(
            project=self.project,
            store=self.store,
            tables=self.tables,
            blobs=self.blobs,
            clock=self.clock,
            probe=self.probe,
            root=self.root,
            workdir=self.workdir,
            actor=self.actor,
            interpreter_of=self.interpreter_of,
        )

    def _run(self, trained: Json) -> Run:
        with self.store.read() as tx:
            return tx.runs.get(trained["run_id"])

    def _forget_workdir(self, run_id: str) -> None:
        shutil.rmtree(self.workdir / run_id, ignore_errors=True)


def _warn(error: Quarantined) -> None:
    log.warning("captured rows were quarantined: %s", error.message)


def _once_more_if_killed(work: Callable[[], Run]) -> Run:
    """Do the work; where its process was killed from outside, a second time: that says nothing about the code."""
    try:
        return work()
    except JobKilled as error:
        log.warning("once more: %s", error.message)
        return work()
