"""The candidate beats a model that has learned nothing: the shares of the classes, the median, or (for RMSE and R²) the mean.

Without it a useless first model would pass, having no champion to lose against. The constant comes from the training target where it is
known, otherwise from the test rows themselves, which is a little harder to beat.
"""

import numpy as np

from homeostat.core.columns import Task
from homeostat.gate import compare, stats
from homeostat.gate.check import Check, Result
from homeostat.gate.evidence import Evidence
from homeostat.gate.settings import GateSettings
from homeostat.gate.stats import Array, Interval
from homeostat.track.metric import class_indices, numbers
from homeostat.track.predictions import Predictions

NAME = "baseline"


def run(evidence: Evidence, settings: GateSettings) -> list[Result]:
    metric = compare.usable_metric(settings.champion.metric, evidence.task, evidence.candidate)
    rng, confidence = evidence.rng(NAME), settings.champion.confidence
    if evidence.task is not Task.REGRESSION and evidence.candidate.scores is None:
        metric = "balanced_accuracy"
        interval = _balanced_difference(evidence, rng=rng, confidence=confidence)
    else:
        nothing = constant(evidence, metric)
        interval = compare.difference(evidence.y, evidence.candidate, nothing, metric, rng=rng, confidence=confidence)
    percent = f"{100 * confidence:g} %"
    passed = interval.high < 0
    return [
        Result(
            check=NAME,
            subject=metric,
            passed=passed,
            value=interval.estimate,
            limit=0.0,
            wanted="<",
            interval=interval,
            reason=f"beats a constant prediction in {metric} ({percent} sure)"
            if passed
            else f"not shown to beat a constant prediction in {metric} ({percent}): the model has learned nothing that holds on later rows",
        )
    ]


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
