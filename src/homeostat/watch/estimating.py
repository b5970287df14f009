"""Estimates of a window's performance without its labels, put into its verdict: they warn, and never decide. Pure."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Task
from homeostat.track.metric import class_indices
from homeostat.track.metrics import metric as metric_named
from homeostat.track.predictions import Predictions
from homeostat.watch.baseline import Baseline, places
from homeostat.watch.calibrating import calibrator, error_of
from homeostat.watch.encoding import encode
from homeostat.watch.estimate import Estimate, light_of, track_of
from homeostat.watch.estimates import ESTIMATORS, estimators
from homeostat.watch.estimator import Question, Rows
from homeostat.watch.joint import measure_jointly
from homeostat.watch.multivariate import joint_methods
from homeostat.watch.reference import Reference
from homeostat.watch.settings import WatchSettings
from homeostat.watch.together import with_joint_drift
from homeostat.watch.verdict import Cause, Verdict

LEAST_ROWS = 100


def estimated(
    verdict: Verdict,
    features: pl.DataFrame,
    predictions: Predictions,
    *,
    truth: pl.Series,
    baseline: Baseline,
    reference: Reference,
    settings: WatchSettings,
    earlier: Sequence[Verdict] = (),
    before: Verdict | None = None,
) -> Verdict:
    """Return the verdict of a window with estimates of its metric, and with drift of all its columns together.

    `truth`: null where not known; it is used only to score estimates, once the window is mature. `earlier`: verdicts of earlier windows of the
    version, oldest first; `before`: what was said of this window before, which is kept when labels come. Cost: about two seconds for
    5,000 reference rows and as many in the window.
    """
    if len(predictions) < LEAST_ROWS or not len(baseline.said):
        return verdict
    if before is not None and verdict.is_mature and (before.estimates or before.joint):
        found, verdict = list(before.estimates), with_joint_drift(verdict, before.joint)
    else:
        question, notes = question_of(features, predictions, baseline, reference)
        found = _estimates(question, reference, settings, earlier)
        if question.samples is not None:
            methods = joint_methods(settings.drift.joint)
            joint = measure_jointly(question.samples, methods, alpha=settings.drift.alpha)
            verdict = with_joint_drift(verdict, joint, notes)
    if verdict.is_mature and verdict.performance is not None:
        off = _calibrations(found, features, predictions, truth=truth, baseline=baseline, reference=reference)
        found = [
            msgspec.structs.replace(one, realised=verdict.performance.value, calibration=off[one.method])
            for one in found
        ]
    return _with_estimates(verdict, found, reference, settings)


def best(found: Sequence[Estimate]) -> Estimate | None:
    """Return the estimate to go by: used, of the best light, of the least error so far."""
    lights = ("green", "amber", "red")
    used = [one for one in found if one.is_used]
    return min(used, key=lambda one: (lights.index(one.light), one.track.error if one.track else 0.0), default=None)


def _estimates(
    question: Question, reference: Reference, settings: WatchSettings, earlier: Sequence[Verdict]
) -> list[Estimate]:
    if reference.performance is None:
        return []
    found = []
    for one in estimators(settings.estimates, task=reference.task, metric=reference.metric):
        guess = one.estimate(question)
        if guess is None or not math.isfinite(guess.value) or not math.isfinite(guess.spread):
            continue
        past = [each for verdict in earlier for each in verdict.estimates if each.method == one.name]
        calibration, on = _newest_calibration(earlier, one.name)
        track = track_of(past)
        light, because = light_of(
            calibration_error=calibration,
            calibrated_on=on,
            auc=None if question.apart is None else question.apart.auc,
            effective_rows=question.effective_rows if one.weighs else None,
        )
        beats = track is None or track.beats
        if not beats:
            because = (
                f"no nearer than 'no change' in the last {track.windows if track else 0} labelled windows; {because}"
            )
        found.append(
            Estimate(
                method=one.name,
                metric=reference.metric,
                value=guess.value,
                low=guess.value - 2 * guess.spread,
                high=guess.value + 2 * guess.spread,
                was=reference.performance.value,
                rows=len(question.current),
                light=light,
                because=because,
                is_used=beats and light != "red",
                calibration_error=calibration,
                auc=None if question.apart is None else question.apart.auc,
                effective_rows=question.effective_rows if one.weighs else None,
                track=track,
            )
        )
    return found


def question_of(
    features: pl.DataFrame,
    predictions: Predictions,
    baseline: Baseline,
    reference: Reference,
    *,
    truth: npt.NDArray[Any] | None = None,
) -> tuple[Question, Sequence[str]]:
    """Return what estimators are asked, the baseline beside those rows of the window that have an answer, and notes on how columns were read.

    `truth` of shape (n_rows,), as `said` of `Rows`: for a question of which the answer is known already.
    """
    said, _ = places(predictions, predictions.labels, reference.task)
    good = np.isfinite(said) if reference.task is Task.REGRESSION else said >= 0
    if predictions.scores is not None:
        good &= np.isfinite(predictions.scores).all(axis=1)
    encoded = encode(baseline.features, features, {name: one.kind for name, one in reference.features.columns.items()})
    question = Question(
        reference=Rows(inputs=encoded.reference, said=baseline.said, scores=baseline.scores, truth=baseline.truth),
        current=Rows(
            inputs=encoded.current[good],
            said=said[good],
            scores=None if predictions.scores is None else predictions.scores[good],
            truth=None if truth is None else truth[good],
        ),
        is_category=encoded.is_category,
        metric=reference.metric,
        names=encoded.names,
    )
    return question, encoded.notes


def _newest_calibration(earlier: Sequence[Verdict], method: str) -> tuple[float | None, int]:
    """Return the calibration error of the newest labelled window, and on how many rows."""
    for verdict in reversed(earlier):
        for one in verdict.estimates:
            if one.method == method and one.calibration is not None:
                return one.calibration, one.rows
    return None, 0


def _calibrations(
    found: Sequence[Estimate],
    features: pl.DataFrame,
    predictions: Predictions,
    *,
    truth: pl.Series,
    baseline: Baseline,
    reference: Reference,
) -> dict[str, float | None]:
    """Return by method how far what it expects of this window's labelled rows was from what came."""
    of_scores = _of_scores(predictions, truth, baseline) if found else None
    off: dict[str, float | None] = {one.method: of_scores for one in found}
    for name, own in ((name, ESTIMATORS[name].calibration) for name in off if name in ESTIMATORS):
        if own is not None:
            known = truth.is_not_null()
            question, _ = question_of(
                features.filter(known),
                predictions.take(known.to_numpy()),
                baseline,
                reference,
                truth=truth.filter(known).to_numpy(),
            )
            off[name] = own(question)
    return off


def _of_scores(predictions: Predictions, truth: pl.Series, baseline: Baseline) -> float | None:
    """Return how far this window's calibrated scores were from what came, None for numbers."""
    if predictions.scores is None or baseline.scores is None:
        return None
    known = truth.is_not_null().to_numpy() & np.isfinite(predictions.scores).all(axis=1)
    place = class_indices(np.asarray(truth.to_list(), dtype=object), predictions.classes)
    known &= place >= 0
    if not known.any():
        return None
    probabilities = calibrator(baseline.scores, baseline.truth.astype(int))(predictions.scores[known])
    return error_of(probabilities, place[known])


def _with_estimates(verdict: Verdict, found: list[Estimate], reference: Reference, settings: WatchSettings) -> Verdict:
    verdict = msgspec.structs.replace(verdict, estimates=found)
    one = best(found)
    if one is None or verdict.is_mature or reference.performance is None:
        return verdict
    told = f"{one.metric} is estimated at {one.value:.4g} ({one.was:.4g} at training) without labels, by {one.method}, {one.light} light"
    sign = -1.0 if metric_named(one.metric).higher_is_better else 1.0
    effect = sign * (one.value - one.was)
    spread = (one.high - one.low) / 4
    error = math.sqrt(spread**2 + reference.performance.error**2 + reference.performance.between**2)
    margin = 0.05 * abs(one.was) if settings.decay is None else settings.decay
    is_worse = effect > margin and effect > 2 * error
    causes = [*verdict.causes, Cause(kind="estimate", state="warn", because=told)] if is_worse else verdict.causes
    is_news = is_worse and verdict.state in ("ok", "unknown")
    return msgspec.structs.replace(
        verdict,
        state="warn" if is_news else verdict.state,
        summary=told if is_news else f"{verdict.summary}; {told}",
        causes=causes,
    )
