"""How a policy would have done over a history: replayed step by step in simulated time, with nothing known before its time.

In each step the champion of that moment predicts the rows. At its end the watch looks at the windows whose labels are known by then, the
triggers and `policy.decide` decide, and `run_cycle` trains, gates and promotes, all as in production. Only the traffic is missing: a
version that passed the gate is promoted at once.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
from msgspec import structs

from homeostat.core.columns import Kind, Task
from homeostat.core.errors import HomeostatError, InvalidInput
from homeostat.core.ids import derived_id
from homeostat.core.records.cycles import CycleState
from homeostat.core.records.events import Event
from homeostat.core.values import Json
from homeostat.data.cast import conform
from homeostat.data.kinds import infer_kinds
from homeostat.retrain.backtest_result import BacktestResult, PolicyResult, StepResult, Turn
from homeostat.retrain.backtest_score import Answers, is_labelled, score, summarise
from homeostat.retrain.comparison import Terms, cost_of, recommend
from homeostat.retrain.cycle import CycleRequest, run_cycle
from homeostat.retrain.detection import detections, rows_of
from homeostat.retrain.policies import OWN, Chosen, Labelled, Look, chosen
from homeostat.retrain.policy import Decision
from homeostat.retrain.project import Project
from homeostat.retrain.settings import RetrainSettings
from homeostat.retrain.simulated import InlineDurable, SimulatedClock, SimulatedStages, Version, World
from homeostat.retrain.timeline import Span, Step, Timeline, timeline
from homeostat.retrain.triggers import Firing, Situation
from homeostat.track.metrics import METRICS, primary
from homeostat.track.predictions import Predictions
from homeostat.train.frames import target
from homeostat.watch.observe import observe
from homeostat.watch.verdict import Past, Verdict, effects_of

Strategy: TypeAlias = RetrainSettings | str  # a name as `policies.named` gives it

LABELS_LATELY = timedelta(days=30)
_FORCE = "the policy of the replay goes past the gate"
DEFAULT = ("never", "always", "every_5", OWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A step of a policy is done: `done` of `steps`."""

    policy: str
    done: int
    steps: int
    now: str
    because: str


def policies_of(project: Project, names: Sequence[str] = ()) -> dict[str, Strategy]:
    """Return what a backtest compares; by default never, always, at every fifth step, and the project's own policy."""
    return {name: project.retrain if name == OWN else name for name in names or DEFAULT}


def backtest(
    frame: pl.DataFrame,
    *,
    project: Project,
    policies: Mapping[str, Strategy] | None = None,
    history: Span | None = None,
    step: Span | None = None,
    root: Path,
    terms: Terms | None = None,
    progress: Callable[[Progress], None] | None = None,
    cpu: Callable[[], float] = time.process_time,
) -> BacktestResult:
    """Return how each policy would have done over the frame (as read from the project's source).

    The first part is `history` (a sixth of the time, at least 500 rows), the rest is replayed in steps of `step` (the watch window).
    `terms`: what the comparison goes by. `cpu` tells the seconds spent so far. User code runs in this process: whoever does not trust it uses `backtest_in_children`.
    """
    begun = time.perf_counter()
    line, kinds = prepare(frame, project=project, history=history, step=step)
    results = [
        replay(line, kinds, name=name, strategy=strategy, project=project, root=root, progress=progress, cpu=cpu)
        for name, strategy in (policies or policies_of(project)).items()
    ]
    return combine(line, results, project=project, terms=terms, wall_s=time.perf_counter() - begun)


def prepare(
    frame: pl.DataFrame, *, project: Project, history: Span | None = None, step: Span | None = None
) -> tuple[Timeline, dict[str, Kind]]:
    """Return the timeline, and the kinds of the columns as the history alone shows them."""
    data, watch = project.data, project.watch
    if step is None:
        step = watch.window if watch.window is not None and data.time is not None else watch.window_rows
    if data.time is not None and data.time in frame.columns:
        frame = conform(frame, {data.time: Kind.DATETIME})
    line = timeline(frame, data=data, history=history, step=step, step_time=watch.window or timedelta(days=1))
    names = frame.columns
    kinds = infer_kinds(line.frame.head(line.steps[0].first).select(names), data.columns)
    inputs = {name: kind for name, kind in kinds.items() if name != data.target}
    return line.with_frame(conform(line.frame, inputs)), kinds


def combine(
    line: Timeline, results: list[PolicyResult], *, project: Project, terms: Terms | None = None, wall_s: float
) -> BacktestResult:
    """Return the result of several replays of one timeline, compared."""
    task, steps, terms = project.task, line.steps, terms or Terms()
    found = BacktestResult(
        model=project.model,
        task=task.value,
        target=project.data.target,
        primary=project.watch.metric or primary(task),
        higher_is_better={name: metric.higher_is_better for name, metric in METRICS.items() if task in metric.tasks},
        has_times=project.data.time is not None,
        history_rows=steps[0].first,
        replayed_rows=sum(one.rows for one in steps),
        begin=line.begin.isoformat(),
        end=steps[-1].end.isoformat(),
        label_delay=str(project.data.label_delay),
        policies=[_judged(one, line, project=project, terms=terms) for one in results],
        wall_s=wall_s,
    )
    return structs.replace(found, recommendation=recommend(found, terms))


def _judged(one: PolicyResult, line: Timeline, *, project: Project, terms: Terms) -> PolicyResult:
    """Return the result with what it costs and how fast its alarms were, as far as prices and changes are known."""
    found = structs.replace(one, cost=cost_of(one, terms))
    if not terms.change_points:
        return found
    delay = project.data.label_delay
    points = rows_of(terms.change_points, line, delay=delay)
    seen, false = detections(one, points, line, delay=delay)
    return structs.replace(found, detections=seen, false_alarms=false)


def replay(
    line: Timeline,
    kinds: dict[str, Kind],
    *,
    name: str,
    strategy: Strategy,
    project: Project,
    root: Path,
    progress: Callable[[Progress], None] | None = None,
    cpu: Callable[[], float] = time.process_time,
) -> PolicyResult:
    """Return how one policy would have done."""
    wall, spent = time.perf_counter(), cpu()
    run = _Replay(
        line=line,
        kinds=kinds,
        name=name,
        chosen=chosen(strategy, project),
        project=project,
        root=root,
        clock=SimulatedClock(line.begin),
    )
    start = run.turn(f"{name}:start")
    for step in line.steps:
        run.live_through(step)
        if progress is not None:
            told = run.turns[step.index].because
            progress(
                Progress(
                    policy=name, done=step.index + 1, steps=len(line.steps), now=step.end.isoformat(), because=told
                )
            )
    cpu_s, wall_s = cpu() - spent, time.perf_counter() - wall
    metric = project.watch.metric or primary(project.task)
    scored = score(line, run.answers, target=project.data.target, task=project.task)
    steps = [run.result_of(step, scored.steps[step.index]) for step in line.steps]
    return summarise(
        steps,
        policy=name,
        description=run.chosen.description,
        start=start,
        pooled=scored.pooled,
        metric=metric,
        fits=run.world.fits,
        cpu_s=cpu_s,
        wall_s=wall_s,
    )


@dataclass(slots=True, kw_only=True, eq=False)
class _Window:
    """A window that was answered, and what the watch has said of it so far."""

    step: Step
    version: Version
    features: pl.DataFrame
    predictions: Predictions
    y: npt.NDArray[Any]
    verdict: Verdict | None = None
    judged_at: datetime | None = None


@dataclass(kw_only=True, eq=False)
class _Replay:
    """The state of one policy's replay."""

    line: Timeline
    kinds: dict[str, Kind]
    name: str
    chosen: Chosen
    project: Project
    root: Path
    clock: SimulatedClock
    world: World = field(default_factory=World)
    windows: dict[int, _Window] = field(default_factory=dict)
    answers: dict[int, Answers] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    turns: dict[int, Turn] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    serving: Version | None = None
    unlabelled: list[int] = field(default_factory=list)  # answered steps with labels that are still to come
    looked: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.looked = self.clock.now()

    def live_through(self, step: Step) -> None:
        """Let what serves answer the rows of a step, then look, decide and act at its end."""
        rows = self.line.rows(step)
        champion = self.serving
        if champion is not None:
            self._answer(step, rows, champion)
        self.clock.advance(step.end)
        self._watch(step)
        self.turns[step.index] = self.turn(f"{self.name}:{step.index}", step)

    def _answer(self, step: Step, rows: pl.DataFrame, champion: Version) -> None:
        try:
            predictions = champion.answer(rows)
        except HomeostatError as error:
            self.failures[step.index] = error.message
            return
        self.unlabelled.append(step.index)
        self.answers[step.index] = Answers(version=champion.number, predictions=predictions)
        self.windows[step.index] = _Window(
            step=step,
            version=champion,
            features=rows.select(champion.signature.names),
            predictions=predictions,
            y=_truth(rows, self.project),
        )

    def _watch(self, step: Step) -> None:
        """Judge the window that has just closed, and those again whose labels have become enough."""
        for index in sorted(self.windows):
            window = self.windows[index]
            if window.verdict is not None and window.verdict.is_mature:
                continue
            labelled = self._labelled(window)
            settings = self.project.watch
            enough = labelled.sum() >= max(settings.min_labels, settings.maturity * window.step.rows)
            if window.verdict is None or enough:
                self._judge(window, labelled)
        self._forget(step)

    def _judge(self, window: _Window, labelled: npt.NDArray[np.bool_]) -> None:
        before = window.verdict
        verdict = observe(
            window.features,
            reference=window.version.reference,
            predictions=window.predictions,
            y=window.y,
            labelled=labelled,
            settings=self.project.watch,
            labels_come=self._labels_come(),
            history=self._effects(window),
            past=self._past(window),
        )
        window.verdict, window.judged_at = verdict, self.clock.now()
        for kind, flag in (
            ("performance.decayed", "decayed"),
            ("drift.detected", "drifted"),
            ("quality.broken", "broken"),
        ):
            if getattr(verdict, flag) and not (before is not None and getattr(before, flag)):
                self._emit(kind, window, verdict)

    def _labelled(self, window: _Window) -> npt.NDArray[np.bool_]:
        known = self.line.known_in(window.step, self.clock.now())
        return known & is_labelled(self.line.rows(window.step)[self.project.data.target])

    def _labels_come(self) -> bool:
        """Return whether a label became known lately, of whatever row."""
        now = self.clock.now()
        return self.line.newly_known(now - LABELS_LATELY, now) > 0

    def _effects(self, window: _Window) -> list[float]:
        earlier = (self.windows[index] for index in sorted(self.windows) if index < window.step.index)
        decays = (
            one.verdict.decay
            for one in earlier
            if one.version.number == window.version.number and one.verdict is not None
        )
        return [decay.effect for decay in decays if decay is not None and decay.effect is not None]

    def _past(self, window: _Window) -> Past:
        """Return what each drift method found in the earlier windows of the version."""
        windows = (self.windows[index] for index in sorted(self.windows) if index < window.step.index)
        earlier = [one.verdict for one in windows if one.version.number == window.version.number and one.verdict]
        return Past(
            columns=effects_of(one.columns for one in earlier),
            predictions=effects_of(one.predictions for one in earlier),
        )

    def _forget(self, step: Step) -> None:
        """Drop the rows of windows that are judged for good."""
        for index, window in self.windows.items():
            if index <= step.index and window.verdict is not None and window.verdict.is_mature:
                window.features = window.features.clear()

    def _emit(self, kind: str, window: _Window, verdict: Verdict) -> None:
        seq = len(self.events) + 1
        reasons = [cause.because for cause in verdict.causes if cause.kind in _CAUSES[kind]]
        self.events.append(
            Event(
                seq=seq,
                time=self.clock.now(),
                actor="watch",
                kind=kind,
                subject=f"model:{self.project.model}",
                payload={
                    "window": {"start": window.step.start.isoformat(), "end": window.step.end.isoformat()},
                    "version": window.version.number,
                    "summary": "; ".join(reasons) or verdict.summary,
                },
                key=f"{kind}:{window.step.index}:{seq}",
                previous="",
                digest="",
            )
        )

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
                y = _truth(rows, self.project)[is_new]
                yield Labelled(rows=rows.filter(pl.Series(is_new)), predictions=given.predictions.take(is_new), y=y)

    def _situation(self) -> Situation:
        now, cycles = self.clock.now(), self.world.cycles
        last = cycles[0].started if cycles else None
        return Situation(
            model=self.project.model,
            now=now,
            champion=self.world.as_champion(),
            events=tuple(event for event in self.events if last is None or event.time > last),
            labels_come=self._labels_come(),
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
        window, answers = self.windows.get(step.index), self.answers.get(step.index)
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


_CAUSES = {
    "performance.decayed": ("performance",),
    "drift.detected": ("drift", "predictions"),
    "quality.broken": ("quality",),
}
_ACTIONS = {
    CycleState.PROMOTED: "promoted",
    CycleState.REJECTED: "rejected",
    CycleState.ROLLED_BACK: "rolled_back",
    CycleState.FAILED: "failed",
}


def _truth(rows: pl.DataFrame, project: Project) -> npt.NDArray[Any]:
    """Return the true values; where a label is null, some value that nobody looks at."""
    series = rows[project.data.target]
    if project.task is not Task.REGRESSION and series.null_count():
        series = series.fill_null(strategy="backward").fill_null(strategy="forward")
        if series.null_count():
            raise InvalidInput(f"no label of '{series.name}' is known in a whole step", hint="take a longer step")
    return target(series, project.task)
