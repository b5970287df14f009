"""How a policy would have done over a history: replayed step by step in simulated time, with nothing known before its time.

In each step the champion of that moment predicts the rows. At its end the watch looks at the windows whose labels are known by then, the
triggers and `policy.decide` decide, and `run_cycle` trains, gates and promotes, all as in production. Only the traffic is missing: a
version that passed the gate is promoted at once.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import polars as pl
from msgspec import structs

from homeostat.core.columns import Kind
from homeostat.data.cast import conform
from homeostat.data.kinds import infer_kinds
from homeostat.retrain.backtest_result import BacktestResult, PolicyResult
from homeostat.retrain.backtest_score import score, summarise
from homeostat.retrain.comparison import Terms, cost_of, recommend
from homeostat.retrain.detection import detections, rows_of
from homeostat.retrain.policies import OWN, chosen
from homeostat.retrain.project import Project
from homeostat.retrain.replay import Replay
from homeostat.retrain.settings import RetrainSettings
from homeostat.retrain.simulated_time import SimulatedClock
from homeostat.retrain.timeline import Span, Timeline, timeline
from homeostat.track.metrics import METRICS
from homeostat.track.usual import primary

Strategy: TypeAlias = RetrainSettings | str  # a name as `policies.named` gives it

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
    run = Replay(
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
