"""Answers are answers: finite, not all the same, within reach of what was learned from, and of classes that the model declares."""

import numpy as np

from homeostat.core.columns import Task
from homeostat.gate.check import Check, Result
from homeostat.gate.evidence import Evidence
from homeostat.gate.settings import GateSettings
from homeostat.gate.stats import Array, Floats
from homeostat.track.metric import class_indices

NAME = "sanity"
# A number may leave the range of the training target by this many times the width of that range.
SLACK = 1.0
# More test rows than this share, of classes that the model does not know, and it answers the wrong question.
MOST_UNKNOWN = 0.01


def run(evidence: Evidence, settings: GateSettings) -> list[Result]:
    del settings
    if evidence.task is Task.REGRESSION:
        values = _numbers(evidence.candidate.labels)
        return [_finite(values), _varied(values), _in_range(values, evidence)]
    scores = evidence.candidate.scores
    known = [_known_labels(evidence), _known_truth(evidence)]
    if scores is None:
        return [_varied(class_indices(evidence.candidate.labels, _distinct(evidence.candidate.labels))), *known]
    return [_finite(scores), _varied(scores), _probabilities(scores), *known]


def _numbers(labels: Array) -> Floats:
    """Labels as numbers; null, text and whatever else is none become NaN."""
    return np.array([x if isinstance(x, int | float) else np.nan for x in labels.tolist()], dtype=np.float64)


def _distinct(labels: Array) -> list[object]:
    return list(dict.fromkeys(labels.tolist()))


def _result(subject: str, bad: int, n: int, wrong: str, right: str, *, allowed: float = 0.0) -> Result:
    share = bad / n if n else 0.0
    reason = f"{bad} of {n} {wrong}" if bad else right
    return Result(check=NAME, subject=subject, passed=share <= allowed, value=share, limit=allowed, reason=reason)


def _finite(values: Floats) -> Result:
    rows = ~np.isfinite(values if values.ndim == 1 else values.sum(axis=1))
    return _result(
        "finite", int(rows.sum()), len(rows), "predictions are NaN, infinite or null", "every prediction is a number"
    )


def _varied(values: Array) -> Result:
    if len(values) < 2:
        return Result(check=NAME, subject="varied", passed=None, reason="one row cannot vary")
    spread = values - values[0]
    varied = bool(np.any(np.abs(np.where(np.isfinite(spread), spread, 0.0)) > 1e-12 * np.abs(values[0]).max(initial=0)))
    reason = "answers differ from row to row" if varied else f"the same answer to all {len(values)} rows"
    return Result(check=NAME, subject="varied", passed=varied, reason=reason)


def _in_range(values: Floats, evidence: Evidence) -> Result:
    known = evidence.y if evidence.train_target is None else evidence.train_target
    source = "test" if evidence.train_target is None else "training"
    low, high = float(np.nanmin(_numbers(known))), float(np.nanmax(_numbers(known)))
    reach = SLACK * (high - low)
    outside = ~((values >= low - reach) & (values <= high + reach)) & ~np.isnan(values)
    wrong = f"predictions are far outside of the {source} target's {low:.4g} to {high:.4g}"
    if outside.any():
        wrong += f", such as {values[outside][0]:.4g}"
    return _result("range", int(outside.sum()), len(values), wrong, f"within reach of the {source} target")


def _probabilities(scores: Floats) -> Result:
    tolerance = 1e-3
    bad = (scores < -tolerance).any(axis=1) | (scores > 1 + tolerance).any(axis=1)
    bad |= np.abs(scores.sum(axis=1) - 1) > tolerance
    return _result(
        "probabilities",
        int(bad.sum()),
        len(bad),
        "rows have scores outside of 0 to 1, or that do not add up to 1",
        "scores are probabilities",
    )


def _known_labels(evidence: Evidence) -> Result:
    known, labels = set(evidence.signature.classes), evidence.candidate.labels
    unknown = [label for label in labels.tolist() if label not in known]
    wrong = f"answers are none of the {len(known)} classes" + (f", such as {unknown[0]!r}" if unknown else "")
    return _result("labels", len(unknown), len(labels), wrong, "every answer is one of the classes")


def _known_truth(evidence: Evidence) -> Result:
    bad = class_indices(evidence.y, evidence.signature.classes) < 0
    wrong = "test rows are of a class that the model does not know"
    if bad.any():
        wrong += f", such as {evidence.y[bad].tolist()[0]!r}"
    right = "the model knows every class of the test rows"
    return _result("classes", int(bad.sum()), len(bad), wrong, right, allowed=MOST_UNKNOWN)


CHECK = Check(name=NAME, run=run)
