"""The stages of a cycle in simulated time: models trained in this process, a list for a registry, no traffic to try a version on."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy.typing as npt
import polars as pl
from msgspec import structs

from homeostat.core.columns import Kind, Roles, Signature
from homeostat.core.errors import HomeostatError, InvalidInput
from homeostat.core.records.cycles import Cycle, CycleState
from homeostat.core.values import Json
from homeostat.data.split import split
from homeostat.gate.evidence import Evidence
from homeostat.gate.suite import run_suite
from homeostat.retrain.cycle import CycleRequest
from homeostat.retrain.learnable import learnable
from homeostat.retrain.project import Project
from homeostat.retrain.refit import takes_its_place
from homeostat.retrain.renewal import Terms
from homeostat.retrain.settings import CanaryStep, Rollout
from homeostat.retrain.simulated_time import SimulatedClock
from homeostat.retrain.simulated_world import Version, World, answer
from homeostat.retrain.stacking import Before, renewed, settings_of_cycle, widened
from homeostat.retrain.timeline import KNOWN_AT, Timeline
from homeostat.track.predictions import Predictions
from homeostat.track.usual import primary
from homeostat.train.fit import fit
from homeostat.train.frames import target
from homeostat.train.settings import TrainSettings
from homeostat.train.signature import signature_of
from homeostat.watch.reference import Reference, build_reference


@dataclass(slots=True, kw_only=True)
class _Candidate:
    """`known` are all rows that it could have learned from, `test` those of them that it was tested on."""

    model: Any
    tested: Any
    signature: Signature
    known: pl.DataFrame
    learned: npt.NDArray[Any]
    test: pl.DataFrame
    predictions: Predictions
    rows: int
    reference: Reference | None = None


@dataclass(kw_only=True)
class SimulatedStages:
    """Implements cycle.Stages. There is no traffic, so that shadow and canary are left at once and promotion follows the gate.

    Where a model would be fitted on a row whose label is not known yet the cycle fails, and `leak` holds the InvalidInput for whoever
    runs the simulation: it would be worth nothing.
    """

    request: CycleRequest
    project: Project
    timeline: Timeline
    kinds: dict[str, Kind]
    world: World
    clock: SimulatedClock
    root: Path
    leak: InvalidInput | None = None
    before: Before | None = None
    _spent: float = 0.0

    def open(self) -> Json:
        now = self.clock.now()
        request = self.request
        cycle = Cycle(
            cycle_id=request.cycle_id,
            model=request.model,
            trigger=request.trigger,
            because=request.because,
            started=now,
        )
        self.world.cycles.insert(0, cycle)
        return {"champion": None if self.world.champion is None else self.world.champion.number}

    def snapshot(self) -> Json:
        known = self.timeline.known(self.clock.now())
        return {
            "dataset": self.request.model,
            "version": known.height,
            "rows": known.height,
            "as_of": self.clock.now().isoformat(),
        }

    def train(self, snapshot: Json) -> Json:
        roles, settings = self.roles, self._training
        known = self.timeline.frame.head(snapshot["version"])
        rows = learnable(known, roles=roles, settings=settings)
        is_stack = bool(self.request.options.get("stack")) and self.world.champion is not None
        if is_stack:
            settings = widened(settings, rows=rows.height)
            rows = learnable(known, roles=roles, settings=settings)
        self._refuse_the_future(rows)
        rows = rows.drop(KNOWN_AT)
        signature = signature_of(rows, roles=roles, kinds=self.kinds, task=self.project.task)
        if is_stack:
            assert self.world.champion is not None
            self.before = self._before(self.world.champion, settings)
            new = rows.filter(pl.col(self.timeline.time) > self.before.seen_until).height
            settings = settings_of_cycle(settings, new=new, total=rows.height, given={})
        parts = split(rows, roles=roles, test_share=settings.test_share, seed=settings.seed)
        learned = rows if self._is_blind else parts.train
        model = self._made(learned, signature, spent=self.world.spent)
        self._candidate = _Candidate(
            model=model,
            tested=model,
            signature=signature,
            known=rows,
            learned=target(learned[roles.target], signature.task),
            test=parts.test,
            predictions=answer(model, parts.test, signature, self.root),
            rows=learned.height,
        )
        self._note(run_id=self.request.cycle_id)
        return {"run_id": self.request.cycle_id}

    def gate(self, snapshot: Json, trained: Json) -> Json:
        del snapshot, trained
        one, champion = self._candidate, self.world.champion
        y = target(one.test[self.roles.target], one.signature.task)
        if self._is_blind:
            # it was fitted on these rows: how it answers them says nothing of how well it will do
            one.reference = structs.replace(self._reference(one, y), performance=None)
            return {"passed": True, "report_id": self.request.cycle_id, "summary": "nobody looked"}
        old, failure = None, None
        if champion is not None:
            try:
                old = champion.answer_as_tested(one.test)
            except HomeostatError as error:
                failure = error.message
        report = run_suite(
            Evidence(
                task=one.signature.task,
                signature=one.signature,
                test=one.test,
                y=y,
                candidate=one.predictions,
                champion=old,
                champion_signature=None if champion is None else champion.signature,
                champion_failure=failure,
                train_target=one.learned,
                seed=self.project.training.seed,
            ),
            self.project.gate,
        )
        one.reference = self._reference(one, y)
        failed = "; ".join(f"{result.check}: {result.reason}" for result in report.failed[:3])
        summary = "the gate passed" if report.passed else f"the gate stopped it: {failed}"
        return {"passed": report.passed, "report_id": self.request.cycle_id, "summary": summary}

    def _reference(self, one: _Candidate, y: npt.NDArray[Any]) -> Reference:
        return build_reference(
            one.test,
            y,
            one.predictions,
            kinds={column.name: column.kind for column in one.signature.columns},
            task=one.signature.task,
            metric=self.project.watch.metric or primary(one.signature.task),
            version=len(self.world.versions) + 1,
        )

    def refit(self, snapshot: Json, trained: Json) -> Json:
        del snapshot
        one = self._candidate
        if self.project.training.refit and not self._is_blind:
            model = self._made(one.known, one.signature, spent=self._spent)
            again = answer(model, one.test, one.signature, self.root)
            y = target(one.test[self.roles.target], one.signature.task)
            if takes_its_place(again, one.predictions, y, one.signature.task):
                one.model, one.rows = model, one.known.height
        return trained

    @property
    def _training(self) -> TrainSettings:
        """The project's settings, with as many rows as the policy asked for where it asks for a number."""
        rows, settings = self.request.options.get("rows"), self.project.training
        return settings if rows is None else structs.replace(settings, window=None, max_rows=int(rows))

    @property
    def _is_blind(self) -> bool:
        """Whether models are put to work unseen: trained once, on everything that is known."""
        return bool(self.request.options.get("blind"))

    def register(self, trained: Json, judged: Json) -> Json:
        del trained, judged
        one = self._candidate
        assert one.reference is not None
        version = Version(
            number=len(self.world.versions) + 1,
            model=one.model,
            tested=one.tested,
            signature=one.signature,
            reference=one.reference,
            trained_at=self.clock.now(),
            rows=one.rows,
            root=self.root,
        )
        self.world.versions.append(version)
        self._note(version=version.number)
        return {"version": version.number}

    def await_approval(self, version: int) -> Json:
        return {"approved": True, "because": f"nobody is there to ask about version {version} in a replay"}

    def shadow(self, version: int) -> Json:
        return {"version": version}

    def canary(self, version: int, percent: float, name: str) -> Json:
        return {"version": version, "percent": percent, "name": name}

    def hold(self, version: int, step: CanaryStep, rollout: Rollout, *, name: str) -> Json:
        del version, step, rollout
        return {"action": "advance", "because": f"{name}: a replay has no traffic to try a version on"}

    def promote(self, version: int) -> Json:
        self.world.champion = self.world.versions[version - 1]
        self.world.spent = 0
        self.world.promoted.append(self.world.champion)
        return {"version": version}

    def withdraw(self, version: int, because: str) -> Json:
        return {"version": version, "because": because}

    def close(self, state: CycleState, because: str, outcome: Json) -> Json:
        del outcome
        self._note(state=state, stage=state.value, ended=self.clock.now(), outcome={"because": because})
        return {"state": state.value, "because": because}

    @property
    def roles(self) -> Roles:
        """The project's roles, in the order that the timeline has."""
        roles = self.project.data.roles
        return replace(roles, time=self.timeline.time, exclude=(*roles.exclude, KNOWN_AT))

    def _before(self, champion: Version, settings: TrainSettings) -> Before:
        """What the stack goes on from: the champion, and the newest row that there was when it was trained."""
        seen = learnable(self.timeline.known(champion.trained_at), roles=self.roles, settings=settings)
        seen_until = seen[self.timeline.time].max()
        assert isinstance(seen_until, datetime)
        return Before(
            model=champion.model, signature=champion.signature, seen_until=seen_until, trained_rows=champion.rows
        )

    def _made(self, rows: pl.DataFrame, signature: Signature, *, spent: float) -> Any:
        """Return a model of the rows, or the champion's stack renewed by them."""
        if self.before is None:
            return self._fit(rows, signature)
        found = renewed(
            self.before,
            rows.sort(self.timeline.time, maintain_order=True),
            time=self.timeline.time,
            signature=signature,
            fit=lambda part: self._fit(part, signature, is_whole=True),
            spent=spent,
        )
        self._spent, self.world.spent = spent, spent + (found.fitted is not None) - Terms().budget
        return found.model

    def _fit(self, rows: pl.DataFrame, signature: Signature, *, is_whole: bool = False) -> Any:
        """Fit a model; `is_whole`: on all of these rows, whatever window the settings name."""
        self.world.fits += 1
        settings = structs.replace(self._training, window=None, max_rows=None) if is_whole else self._training
        return fit(rows, roles=self.roles, signature=signature, settings=settings, root=self.root)

    def _note(self, **changes: Any) -> None:
        self.world.cycles[0] = replace(self.world.cycles[0], **changes)

    def _refuse_the_future(self, rows: pl.DataFrame) -> None:
        newest, now = rows[KNOWN_AT].max(), self.clock.now()
        if isinstance(newest, datetime) and newest >= now:
            self.leak = InvalidInput(
                f"a model would learn at {now:%Y-%m-%d %H:%M} from a label that is known from {newest:%Y-%m-%d %H:%M} on",
                hint="this is a mistake in the replay, please report it",
            )
            raise self.leak
