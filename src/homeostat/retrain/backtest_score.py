"""How good the answers of a replay were, with the truth of hindsight."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Task
from homeostat.retrain.backtest_result import Metrics, PolicyResult, StepResult, Turn, Worst, has_trained
from homeostat.retrain.timeline import Timeline
from homeostat.track.metric import class_indices
from homeostat.track.metrics import compute, metric
from homeostat.track.predictions import Predictions
from homeostat.track.usual import defaults
from homeostat.train.frames import target as truth
from homeostat.train.signature import classes_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What a version said about all rows of a step."""

    version: int
    predictions: Predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """`steps[index]` are the metrics of a step, empty where nothing was answered; `pooled` those of all rows together."""

    steps: Mapping[int, Metrics]
    pooled: Metrics


def score(line: Timeline, answers: Mapping[int, Answers], *, target: str, task: Task) -> Scored:
    """Return the default metrics of the task and `error` over labelled rows, per step and over all of them."""
    names = defaults(task)
    classes = classes_of(line.frame[target], task)
    steps: dict[int, Metrics] = {}
    all_truth, all_said = [], []
    for step in line.steps:
        given = answers.get(step.index)
        if given is None:
            steps[step.index] = {}
            continue
        series = line.rows(step)[target]
        mask = is_labelled(series)
        y = truth(series.filter(pl.Series(mask)), task)
        said = _on_classes(given.predictions.take(mask), classes)
        steps[step.index] = compute(names, y, said)
        if len(y):
            steps[step.index]["error"] = _error(y, said, task)
        all_truth.append(y)
        all_said.append(said)
    if not all_said:
        return Scored(steps=steps, pooled={})
    whole, answered = np.concatenate(all_truth), _together(all_said)
    pooled = compute(names, whole, answered)
    if len(whole):
        pooled["error"] = _error(whole, answered, task)
    return Scored(steps=steps, pooled=pooled)


def _error(y: npt.NDArray[Any], said: Predictions, task: Task) -> float:
    """Return the share of wrong labels, or the mean absolute error: what a price for errors counts."""
    return compute(["mae"], y, said)["mae"] if task is Task.REGRESSION else float(np.mean(y != said.labels))


def is_labelled(series: pl.Series) -> npt.NDArray[np.bool_]:
    """Return which rows have a label at all."""
    known = series.is_not_null()
    if series.dtype.is_float():
        known &= series.is_not_nan().fill_null(value=False)
    return np.asarray(known.to_numpy(), dtype=np.bool_)


def _on_classes(said: Predictions, classes: tuple[object, ...]) -> Predictions:
    """Return the predictions with a column for each class there ever was: versions may know different ones."""
    if said.scores is None or said.classes == classes:
        return said
    scores = np.zeros((len(said), len(classes)))
    scores[:, class_indices(said.classes, classes)] = said.scores
    return Predictions(labels=said.labels, scores=scores, classes=classes)


def _together(parts: list[Predictions]) -> Predictions:
    labels = np.concatenate([part.labels for part in parts])
    scores = [part.scores for part in parts if part.scores is not None]
    if len(scores) < len(parts):
        return Predictions(labels=labels, classes=parts[0].classes)
    return Predictions(labels=labels, scores=np.concatenate(scores), classes=parts[0].classes)


def summarise(
    steps: list[StepResult],
    *,
    policy: str,
    description: str,
    start: Turn,
    pooled: Metrics,
    metric: str,
    fits: int,
    cpu_s: float,
    wall_s: float,
) -> PolicyResult:
    """Return the figures over all steps of one policy."""
    names = dict.fromkeys(name for step in steps for name in step.metrics)
    means = {name: float(np.mean([step.metrics[name] for step in steps if name in step.metrics])) for name in names}
    return PolicyResult(
        policy=policy,
        description=description,
        start=start,
        steps=steps,
        metrics=pooled,
        mean_metrics=means,
        rows=sum(step.rows for step in steps),
        answered=sum(step.answered for step in steps),
        alerts=sum(step.state == "alarm" for step in steps),
        retrainings=sum(step.turn.action == "promoted" and step.turn.trigger != "first" for step in steps),
        cycles=sum(has_trained(step.turn.action, step.turn.trigger) for step in steps),
        fits=fits,
        cpu_s=cpu_s,
        wall_s=wall_s,
        worst=_worst(steps, metric),
    )


def _worst(steps: list[StepResult], name: str) -> Worst | None:
    measured = [step for step in steps if name in step.metrics]
    if not measured:
        return None
    sign = 1.0 if metric(name).higher_is_better else -1.0
    worst = min(measured, key=lambda step: sign * step.metrics[name])
    return Worst(index=worst.index, start=worst.start, value=worst.metrics[name])
