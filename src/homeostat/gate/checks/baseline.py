"""The candidate beats a model that has learned nothing: the shares of the classes, the median, or (for RMSE and R²) the mean.

Without it a useless first model would pass, having no champion to lose against. It must do better than the constant on the test rows, and
that must not be chance: either the interval of the difference shows it, or that of the ranking (ROC AUC above 0.5; a correlation above 0),
which needs fewer rows where a few sure and wrong answers make the loss uncertain. The constant comes from the training target where it is
known, otherwise from the test rows themselves, which is a little harder to beat. A candidate that does not beat the constant still passes
where it surely beats the champion.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Task
from homeostat.core.errors import NotEnoughData
from homeostat.gate import compare, stats
from homeostat.gate.check import Check, Result
from homeostat.gate.evidence import Evidence
from homeostat.gate.settings import CONFIDENCE, GateSettings
from homeostat.gate.stats import Array, Interval
from homeostat.track.metric import class_indices, numbers
from homeostat.track.predictions import Predictions

NAME = "baseline"


def run(evidence: Evidence, settings: GateSettings) -> list[Result]:
    metric = compare.usable_metric(settings.champion.metric, evidence.task, evidence.candidate)
    rng, confidence = evidence.rng(NAME), settings.champion.confidence or CONFIDENCE
    if evidence.task is not Task.REGRESSION and evidence.candidate.scores is None:
        metric = "balanced_accuracy"
        interval = _balanced_difference(evidence, rng=rng, confidence=confidence)
        ranking = None
    else:
        nothing = constant(evidence, metric)
        interval = compare.difference(evidence.y, evidence.candidate, nothing, metric, rng=rng, confidence=confidence)
        is_open = interval.estimate < 0 <= interval.high
        ranking = _ranking(evidence, rng=rng, confidence=confidence) if is_open else None
    result = _judge(metric, interval, ranking, confidence)
    return [result if result.passed else _or_better_than_the_champion(result, evidence, metric, confidence)]


def _or_better_than_the_champion(result: Result, evidence: Evidence, metric: str, confidence: float) -> Result:
    """Where the champion is surely worse still, keeping it would be no cure."""
    if evidence.champion is None or metric == "balanced_accuracy":
        return result
    usable = compare.usable_metric(metric, evidence.task, evidence.candidate, evidence.champion)
    rng = evidence.rng(f"{NAME}:champion")
    better = compare.difference(
        evidence.y, evidence.candidate, evidence.champion, usable, rng=rng, confidence=confidence
    )
    if not better.high < 0:  # NaN is no proof
        return result
    return replace(result, passed=True, reason=f"{result.reason}; but the champion is surely worse still")


def _judge(metric: str, interval: Interval, ranking: Interval | None, confidence: float) -> Result:
    percent = f"{100 * confidence:g} %"
    by_rank = ranking is not None and ranking.low > 0
    if interval.high < 0:
        reason = f"beats a constant prediction in {metric} ({percent} sure)"
    elif by_rank:
        reason = f"beats a constant prediction in {metric}, and its ranking is better than chance ({percent} sure)"
    elif interval.estimate < 0:
        reason = f"better than a constant prediction in {metric}, but no more than chance could do ({percent})"
    else:
        reason = f"no better than a constant prediction in {metric}: it has learned nothing that holds on later rows"
    return Result(
        check=NAME,
        subject=metric,
        passed=interval.high < 0 or by_rank,
        value=interval.estimate,
        limit=0.0,
        wanted="<",
        interval=interval,
        reason=reason,
        details={} if ranking is None else {"ranking_above_chance_by_at_least": ranking.low},
    )


def _ranking(evidence: Evidence, *, rng: np.random.Generator, confidence: float) -> Interval | None:
    """How far the ranking is above that of chance; None where it cannot be told."""
    try:
        if evidence.task is Task.REGRESSION:
            return _correlation(evidence, rng=rng, confidence=confidence)
        loss = compare.loss_interval(evidence.y, evidence.candidate, "roc_auc", rng=rng, confidence=confidence)
    except NotEnoughData:
        return None
    return replace(loss, estimate=0.5 - loss.estimate, low=0.5 - loss.high, high=0.5 - loss.low)


def _correlation(evidence: Evidence, *, rng: np.random.Generator, confidence: float) -> Interval:
    answers, truth = numbers(evidence.candidate.labels), numbers(evidence.y)

    def correlation(rows: npt.NDArray[np.intp]) -> float:
        a, b = answers[rows] - answers[rows].mean(), truth[rows] - truth[rows].mean()
        size = float(np.sqrt((a @ a) * (b @ b)))
        return float(a @ b) / size if size > 0 else float("nan")

    block = stats.block_length((answers - answers.mean()) * (truth - truth.mean()))
    return stats.statistic_interval(correlation, len(truth), rng=rng, confidence=confidence, resamples=500, block=block)


def constant(evidence: Evidence, metric: str) -> Predictions:
    """Return what a model that looks at no feature would answer to each row."""
    known = evidence.y if evidence.train_target is None else evidence.train_target
    n = len(evidence.y)
    if evidence.task is Task.REGRESSION:
        middle = np.mean if metric in {"rmse", "r2"} else np.median
        return Predictions(labels=np.full(n, float(middle(numbers(known)))))
    classes = evidence.signature.classes
    places = class_indices(known, classes)
    counts = np.bincount(places[places >= 0], minlength=len(classes)).astype(np.float64)
    shares = counts / counts.sum() if counts.sum() else np.full(len(classes), 1 / len(classes))
    labels = np.array([classes[int(np.argmax(shares))]] * n, dtype=object)
    return Predictions(labels=labels, scores=np.tile(shares, (n, 1)), classes=classes)


def _balanced_difference(evidence: Evidence, *, rng: np.random.Generator, confidence: float) -> Interval:
    """Labels alone: the mean of the error rates of the classes, minus that of any constant, (k - 1) / k.

    Plain accuracy would fail a good model of a rare class, since the constant is right nearly always.
    """
    weights = _class_weights(evidence.y)
    wrong = np.array([a != b for a, b in zip(evidence.y.tolist(), evidence.candidate.labels.tolist(), strict=True)])
    losses = weights * wrong
    k = len(set(evidence.y.tolist()))
    interval = stats.mean_interval(losses, rng=rng, confidence=confidence, block=stats.block_length(losses))
    return interval.minus((k - 1) / k)


def _class_weights(y: Array) -> Array:
    _, place, counts = np.unique(y.astype(str), return_inverse=True, return_counts=True)
    weights: Array = len(y) / (len(counts) * counts[place])
    return weights


CHECK = Check(name=NAME, run=run)
