"""Probabilities mean what they say: the expected calibration error is not credibly above `gate.max_calibration_error`.

Binary: of the positive class. More classes: of the class that is answered (C. Guo and others, "On calibration of modern neural networks",
ICML 2017, equation 3). The low end of the interval is held against the limit, because the error itself is never 0 on few rows. Where the
champion is further off than the limit on these rows, its error is the limit: keeping it would be no cure.
"""

import numpy as np

from homeostat.core.columns import Task
from homeostat.gate import stats
from homeostat.gate.check import Check, Result
from homeostat.gate.evidence import Evidence
from homeostat.gate.settings import GateSettings
from homeostat.gate.stats import Array, Floats
from homeostat.track.metric import class_indices
from homeostat.track.predictions import Predictions

NAME = "calibration"


def run(evidence: Evidence, settings: GateSettings) -> list[Result]:
    limit = settings.max_calibration_error
    if limit is None:
        return [Result(check=NAME, passed=None, reason="gate.max_calibration_error is not set")]
    if evidence.task is Task.REGRESSION:
        return [Result(check=NAME, passed=None, reason="a regression gives no probabilities")]
    if evidence.candidate.scores is None:
        return [Result(check=NAME, passed=None, reason="the model gives no probabilities")]
    outcomes, told = told_and_true(evidence.y, evidence.candidate)
    if not np.isfinite(told).all():
        return [Result(check=NAME, passed=False, limit=limit, reason="some probabilities are NaN or infinite")]
    block = stats.block_length(told - outcomes)
    interval = stats.calibration_interval(outcomes, told, rng=evidence.rng(NAME), block=block)
    champion = _error(evidence, evidence.champion)
    limit = limit if champion is None else max(limit, champion)
    passed = interval.low <= limit
    return [
        Result(
            check=NAME,
            passed=passed,
            value=interval.estimate,
            limit=limit,
            interval=interval,
            reason=f"expected calibration error {interval.estimate:.3g}, at least {interval.low:.3g} (95 %), allowed {limit:.3g}",
            details={
                "bins": [
                    {"rows": b.rows, "predicted": b.predicted, "observed": b.observed}
                    for b in stats.calibration_bins(outcomes, told)
                ]
            },
        )
    ]


def _error(evidence: Evidence, predictions: Predictions | None) -> float | None:
    """Return the expected calibration error of a model, None where it has none."""
    if predictions is None or predictions.scores is None or not np.isfinite(predictions.scores).all():
        return None
    outcomes, told = told_and_true(evidence.y, predictions)
    bins = stats.calibration_bins(outcomes, told)
    return sum(b.rows * abs(b.predicted - b.observed) for b in bins) / max(1, sum(b.rows for b in bins))


def told_and_true(y: Array, predictions: Predictions) -> tuple[Array, Floats]:
    """Return outcomes (0/1) and the probability that was told for each."""
    assert predictions.scores is not None
    truth = class_indices(y, predictions.classes)
    if len(predictions.classes) == 2:
        return truth == 1, predictions.scores[:, 1]
    answered = predictions.scores.argmax(axis=1)
    return truth == answered, predictions.scores[np.arange(len(answered)), answered]


CHECK = Check(name=NAME, run=run)
