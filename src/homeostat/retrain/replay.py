"""One policy lives through a history, step by step: answers, watches, decides, and runs the cycles that it decides on."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl

from homeostat.core.columns import Kind
from homeostat.core.errors import HomeostatError
from homeostat.core.ids import derived_id
from homeostat.core.records.cycles import CycleState
from homeostat.core.values import Json
from homeostat.retrain.backtest_result import StepResult, Turn
from homeostat.retrain.backtest_score import Answers, is_labelled
from homeostat.retrain.cycle import CycleRequest, run_cycle
from homeostat.retrain.policies import Chosen, Labelled, Look
from homeostat.retrain.policy import Decision
from homeostat.retrain.project import Project
from homeostat.retrain.replay_watch import ReplayWatch, truth
from homeostat.retrain.simulated import SimulatedStages
from homeostat.retrain.simulated_time import InlineDurable, SimulatedClock
from homeostat.retrain.simulated_world import Version, World
from homeostat.retrain.timeline import Step, Timeline
from homeostat.retrain.triggers import Firing, Situation

_FORCE = "the policy of the replay goes past the gate"
_ACTIONS = {
    CycleState.PROMOTED: "promoted",
    CycleState.REJECTED: "rejected",
    CycleState.ROLLED_BACK: "rolled_back",
    CycleState.FAILED: "failed",
}


@dataclass(kw_only=True, eq=False)
class Replay:
    """The state of one policy's replay."""

    line: Timeline
    kinds: dict[str, Kind]
    name: str
    chosen: Chosen
    project: Project
    root: Path
    clock: SimulatedClock
    world: World = field(default_factory=World)
    answers: dict[int, Answers] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    turns: dict[int, Turn] = field(default_factory=dict)
    watch: ReplayWatch = field(init=False)
    serving: Version | None = None
    unlabelled: list[int] = field(default_factory=list)  # answered steps with labels that are still to come
    looked: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.looked = self.clock.now()
        self.watch = ReplayWatch(line=self.line, project=self.project, clock=self.clock)

    def live_through(self, step: Step) -> None:
        """Let what serves answer the rows of a step, then look, decide and act at its end."""
        rows = self.line.rows(step)
        champion = self.serving
        if champion is not None:
            self._answer(step, rows, champion)
        self.clock.advance(step.end)
        self.watch.close(step)
        self.turns[step.index] = self.turn(f"{self.name}:{step.index}", step)

    def _answer(self, step: Step, rows: pl.DataFrame, champion: Version) -> None:
        try:
            predictions = champion.answer(rows)
        except HomeostatError as error:
            self.failures[step.index] = error.message
            return
        self.unlabelled.append(step.index)
        self.answers[step.index] = Answers(version=champion.number, predictions=predictions)
        self.watch.open(step, rows, champion, predictions)

    def turn(self, occasion: str, step: Step | None = None) -> Turn:
        """Decide and, where it is to retrain, run the whole cycle."""
        now = self.clock.now()
        look = self._look(occasion, step)
        decision = self.chosen.rule.decide(look)
        turn = self._act(now, decision)
        self.serving = self.chosen.rule.serving(replace(look, versions=tuple(self.world.promoted)))
        return turn

    def _act(self, now: datetime, decision: Decision) -> Turn:
        if decision.kind != "retrain" or decision.firing is None:
            action: Literal["none", "waited"] = "waited" if decision.kind == "wait" else "none"
            return self._turn(now, action, decision.because, decision.firing)
        stages = self._stages(decision.firing, decision.rows)
        state = run_cycle(stages.request, stages=stages, durable=InlineDurable(), policy=self.chosen.settings)
        if stages.leak is not None:
            raise stages.leak
        ended = self.world.cycles[0].outcome["because"]
        because = decision.because if state is CycleState.PROMOTED else f"{decision.because}; {ended}"
        return self._turn(now, _ACTIONS[state], because, decision.firing)

    def _turn(self, now: datetime, action: Any, because: str, firing: Firing | None) -> Turn:
        champion = self.world.champion
        return Turn(
            at=now.isoformat(),
            action=action,
            because=because,
            trigger=None if firing is None else firing.trigger,
            version=None if champion is None else champion.number,
            rows=champion.rows if champion is not None and action == "promoted" else 0,
        )

    def _look(self, occasion: str, step: Step | None) -> Look:
        now = self.clock.now()
        look = Look(
            situation=self._situation(),
            occasion=occasion,
            step=None if step is None else step.index,
            labelled=tuple(self._just_labelled(now)),
            known=self.line.known(now),
            versions=tuple(self.world.promoted),
        )
        self.looked = now
        return look

    def _just_labelled(self, now: datetime) -> Iterator[Labelled]:
        """Give the answered rows whose labels became known since the last look."""
        for index in tuple(self.unlabelled):
            step, given = self.line.steps[index], self.answers[index]
            is_new = self.line.known_in(step, now) & ~self.line.known_in(step, self.looked)
            if self.line.known_in(step, now).all():
                self.unlabelled.remove(index)
            if is_new.any():
                rows = self.line.rows(step)
                is_new &= is_labelled(rows[self.project.data.target])
                y = truth(rows, self.project)[is_new]
                yield Labelled(rows=rows.filter(pl.Series(is_new)), predictions=given.predictions.take(is_new), y=y)

    def _situation(self) -> Situation:
        now, cycles = self.clock.now(), self.world.cycles
        last = cycles[0].started if cycles else None
        return Situation(
            model=self.project.model,
            now=now,
            champion=self.world.as_champion(),
            events=tuple(event for event in self.watch.events if last is None or event.time > last),
            labels_come=self.watch.labels_come(),
            labelled_rows_since_training=0 if last is None else self.line.newly_known(last, now),
            cycles=tuple(cycles),
        )

    def _stages(self, firing: Firing, rows: int | None) -> SimulatedStages:
        options: Json = {} if rows is None else {"rows": rows}
        if self.chosen.settings.policy == "stack":
            options["stack"] = True
        if self.chosen.gate != "judges":
            options |= {"force": _FORCE, "blind": self.chosen.gate == "none"}
        request = CycleRequest(
            cycle_id=derived_id(self.name, firing.cause),
            model=self.project.model,
            trigger=firing.trigger,
            because=firing.because,
            options=options,
        )
        return SimulatedStages(
            request=request,
            project=self.project,
            timeline=self.line,
            kinds=self.kinds,
            world=self.world,
            clock=self.clock,
            root=self.root,
        )

    def result_of(self, step: Step, metrics: dict[str, float]) -> StepResult:
        """Return the record of a step."""
        window, answers = self.watch.windows.get(step.index), self.answers.get(step.index)
        verdict = None if window is None else window.verdict
        performance = None if verdict is None else verdict.performance
        reference = None if window is None else window.version.reference.performance
        failure = self.failures.get(step.index, "there is no champion" if window is None else "")
        return StepResult(
            index=step.index,
            start=step.start.isoformat(),
            end=step.end.isoformat(),
            rows=step.rows,
            answered=0 if answers is None else len(answers.predictions),
            version=None if answers is None else answers.version,
            metrics=metrics,
            turn=self.turns[step.index],
            state=verdict.state if verdict is not None else "alarm" if step.index in self.failures else "unknown",
            summary=verdict.summary if verdict is not None else failure,
            value=None if performance is None else performance.value,
            reference=None if reference is None else reference.value,
            judged_at=window.judged_at.isoformat() if window is not None and window.judged_at is not None else None,
        )
