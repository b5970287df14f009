"""The answers of two tables held against each other: how they are spread, and, where labels are there, whether they are as right as they were. Pure."""

import math
from collections.abc import Mapping

import numpy as np

from homeostat.watch.comparison.result import ColumnVerdict, Picture
from homeostat.watch.method import Measured, Method
from homeostat.watch.methods import method
from homeostat.watch.profile.answers import AnswerSketch
from homeostat.watch.profile.category import CategorySketch
from homeostat.watch.profile.moments import Moments
from homeostat.watch.profile.numeric import NumberSketch, in_bins_of
from homeostat.watch.profile.reliability import BINS, Reliability
from homeostat.watch.sample import Categories, Floats
from homeostat.watch.settings import DriftSettings
from homeostat.watch.verdict import Drift, drift_of

NAME = "predictions"
# (words, warns, alarms): distances of rates, a bias in standard deviations of the residuals, the rise of the RMSE as a share of it.
ANSWERS: Mapping[str, tuple[str, float, float]] = {
    "missing_answers": ("the share of rows without a usable answer rose by", 0.05, 0.1),
    "scores": ("the scores are spread otherwise: Jensen-Shannon", 0.1, 0.2),
    "calibration": ("what came true is off from what the reference lets expect of such scores by", 0.05, 0.1),
    "accuracy": ("the share of right answers fell by", 0.02, 0.05),
    "bias": ("the mean residual moved, in standard deviations, by", 0.1, 0.2),
    "error": ("the root mean squared error rose, as a share of it, by", 0.1, 0.2),
}
_LEAST_EVENTS = 5.0


def compare_answers(reference: AnswerSketch, current: AnswerSketch, *, settings: DriftSettings) -> ColumnVerdict:
    """Return what was measured of the answers; the state waits for the p-values of all columns. Both are of the same columns."""
    answered = (reference.rows - reference.spoilt, current.rows - current.spoilt)
    labelled = (reference.labelled, current.labelled)
    drifts = [
        *_told("missing_answers", _missing(reference, current), (reference.rows, current.rows), settings),
        *_told("scores", _scores(reference.reliability, current.reliability), answered, settings),
        *_said(reference, current, settings),
    ]
    if min(labelled):
        drifts += [
            *_told("calibration", _calibration(reference.reliability, current.reliability), labelled, settings),
            *_told("accuracy", _accuracy(reference, current), labelled, settings),
            *_told("bias", _bias(reference.residuals, current.residuals), labelled, settings),
            *_told("error", _error(reference.residuals, current.residuals), labelled, settings),
        ]
    return ColumnVerdict(
        name=NAME,
        kind=None,
        state="unknown",
        because="",
        drifts=drifts,
        reference=_facts(reference),
        current=_facts(current),
        picture=_histogram(reference.reliability, current.reliability),
        reliability=_diagram(reference.reliability, current.reliability) if min(labelled) else None,
    )


def recalibrated(reference: Reliability, current: Reliability) -> Measured:
    """Return how far what came is from what the reference lets expect of the same probabilities, and the chance of it.

    In each bin the reference's gap of promised and came is laid on the current probabilities. The effect is the mean distance, in [0, 1]; the p-value a
    chi-square of the distances over their variance on both sides (as D. Hosmer and S. Lemeshow 1980, "Goodness of fit tests for the
    multiple logistic regression model", without fitted parameters). Bins with fewer than 5 expected outcomes of either sort are put
    together; what the reference has no labels for is left out.
    """
    n, m = np.array(reference.labelled, float), np.array(current.labelled, float)
    cells = np.stack(
        [
            n,
            np.array(reference.promised),
            np.array(reference.came, float),
            m,
            np.array(current.promised),
            np.array(current.came, float),
        ]
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(n > 0, cells[2] / n, np.nan)
        events = n * min(1.0, m.sum() / max(1.0, n.sum())) * np.minimum(rate, 1.0 - rate)
    is_rare = ~(events >= _LEAST_EVENTS)
    cells = np.column_stack([cells[:, ~is_rare], cells[:, is_rare].sum(axis=1)])
    cells = cells[:, (cells[0] > 0) & (cells[3] > 0)]
    if not cells.shape[1]:
        return Measured(effect=0.0, p_value=None)
    n, promised, came, m, expected, found = cells
    awaited = np.clip(expected / m + (came - promised) / n, 0.0, 1.0)
    away = found / m - awaited
    ours = (came + 0.5) / (n + 1.0)
    theirs = np.clip(awaited, 0.5 / (m + 1.0), 1.0 - 0.5 / (m + 1.0))
    variance = ours * (1.0 - ours) / n + theirs * (1.0 - theirs) / m
    from scipy.special import chdtrc

    p_value = float(chdtrc(len(m), float(np.sum(away**2 / variance))))
    return Measured(effect=float(np.sum(m * np.abs(away)) / m.sum()), p_value=p_value)


def _told(name: str, measured: Measured | None, rows: tuple[int, int], settings: DriftSettings) -> list[Drift]:
    """Return the finding, none where there is nothing to measure."""
    if measured is None:
        return []
    _, warn, alarm = ANSWERS[name]
    of = Method(name=name, kinds=frozenset(), warn=warn, alarm=alarm, measure=lambda _a, _b: measured)
    return [drift_of(NAME, of, measured, rows=min(rows), settings=settings)]


def _missing(reference: AnswerSketch, current: AnswerSketch) -> Measured | None:
    if not reference.spoilt and not current.spoilt:
        return None
    return _worse((reference.spoilt, reference.rows), (current.spoilt, current.rows), sign=1.0)


def _accuracy(reference: AnswerSketch, current: AnswerSketch) -> Measured | None:
    if reference.accuracy is None or current.accuracy is None:
        return None
    return _worse((reference.right, reference.labelled), (current.right, current.labelled), sign=-1.0)


def _worse(ours: tuple[int, int], theirs: tuple[int, int], *, sign: float) -> Measured:
    """Return by how much a rate rose (sign 1) or fell (-1), 0 where it did the other, with the one-sided p-value of pooled rates."""
    if not ours[1] or not theirs[1]:
        return Measured(effect=0.0, p_value=None)
    step = sign * (theirs[0] / theirs[1] - ours[0] / ours[1])
    pooled = (ours[0] + theirs[0] + 1.0) / (ours[1] + theirs[1] + 2.0)
    return _one_sided(step, pooled * (1.0 - pooled) * (1.0 / ours[1] + 1.0 / theirs[1]))


def _one_sided(step: float, variance: float) -> Measured:
    from scipy.special import ndtr

    p_value = float(ndtr(-step / math.sqrt(variance))) if variance > 0 else float(step <= 0)
    return Measured(effect=max(0.0, step), p_value=p_value)


def _scores(reference: Reliability | None, current: Reliability | None) -> Measured | None:
    if reference is None or current is None:
        return None
    return method("jensen_shannon").measure(_as_categories(reference), _as_categories(current))


def _said(reference: AnswerSketch, current: AnswerSketch, settings: DriftSettings) -> list[Drift]:
    ours, theirs = reference.said, current.said
    if isinstance(ours, CategorySketch) and isinstance(theirs, CategorySketch):
        of, sides = method("jensen_shannon"), (ours.to_categories(), theirs.to_categories())
        measured = of.measure(*sides)
        return [drift_of(NAME, of, measured, rows=min(map(len, sides)), settings=settings)]
    if isinstance(ours, NumberSketch) and isinstance(theirs, NumberSketch):
        of, numbers = method("wasserstein"), (ours.to_numbers(), in_bins_of(ours, theirs).to_numbers())
        measured = of.measure(*numbers)
        return [drift_of(NAME, of, measured, rows=min(map(len, numbers)), settings=settings)]
    return []


def _calibration(reference: Reliability | None, current: Reliability | None) -> Measured | None:
    if reference is None or current is None or reference.error is None or current.error is None:
        return None
    return recalibrated(reference, current)


def _bias(ours: Moments, theirs: Moments) -> Measured | None:
    """Return how far the mean residual moved, in standard deviations of the reference's; chance by Welch's test, two-sided."""
    if not ours.count or not theirs.count:
        return None
    step = abs(theirs.mean - ours.mean)
    one_sided = _one_sided(step, ours.m2 / ours.count**2 + theirs.m2 / theirs.count**2)
    effect = step / ours.sd if ours.sd > 0 else (math.inf if step > 0 else 0.0)
    return Measured(effect=min(effect, 1e9), p_value=min(1.0, 2.0 * (one_sided.p_value or 0.0)))


def _error(ours: Moments, theirs: Moments) -> Measured | None:
    """Return by what share the root mean squared residual rose; chance by the variance of the squares, one-sided."""
    if not ours.count or not theirs.count:
        return None
    (before, of_before), (after, of_after) = _squares(ours), _squares(theirs)
    tested = _one_sided(after - before, of_before / ours.count + of_after / theirs.count)
    if before <= 0:
        return Measured(effect=0.0 if after <= 0 else 1e9, p_value=tested.p_value)
    return Measured(effect=min(max(0.0, math.sqrt(after / before) - 1.0), 1e9), p_value=tested.p_value)


def _squares(of: Moments) -> tuple[float, float]:
    """Return the mean of the squares, and their variance, from the moments about the mean."""
    second, third, fourth = of.m2 / of.count, of.m3 / of.count, of.m4 / of.count
    mean = second + of.mean**2
    variance = fourth + 4.0 * of.mean * third + 6.0 * of.mean**2 * second + of.mean**4 - mean**2
    return mean, max(0.0, variance)


def _as_categories(found: Reliability) -> Categories:
    return Categories(counts={f"{at:02}": count for at, count in enumerate(found.counts) if count})


def _facts(side: AnswerSketch) -> dict[str, float | str]:
    found: dict[str, float | str | None] = {
        "no answer": side.spoilt / side.rows if side.rows else 0.0,
        "labelled": side.labelled,
        "accuracy": side.accuracy,
    }
    if side.reliability is not None:
        found |= {"calibration error": side.reliability.error, "came true": side.reliability.rate}
    if isinstance(side.said, NumberSketch) and side.said.moments.count:
        found |= {"mean": side.said.moments.mean, "sd": side.said.moments.sd}
    if side.residuals.count:
        found |= {"mean residual": side.residuals.mean, "RMSE": math.sqrt(_squares(side.residuals)[0])}
    return {name: value for name, value in found.items() if value is not None}


def _labels() -> list[str]:
    return [f"{at / BINS:.2f} to {(at + 1) / BINS:.2f}" for at in range(BINS)]


def _histogram(reference: Reliability | None, current: Reliability | None) -> Picture | None:
    if reference is None or current is None:
        return None
    ours, theirs = (_parts(side.counts, [side.rows] * BINS) for side in (reference, current))
    return Picture(labels=_labels(), reference=ours, current=theirs)


def _diagram(reference: Reliability | None, current: Reliability | None) -> Picture | None:
    """Return how often it came true, by what was promised."""
    if reference is None or current is None:
        return None
    ours, theirs = (_parts(side.came, side.labelled) for side in (reference, current))
    return Picture(labels=_labels(), reference=ours, current=theirs)


def _parts(counts: list[int], of: list[int]) -> list[float]:
    found: Floats = np.array(counts, float) / np.maximum(of, 1)
    rounded: list[float] = found.round(6).tolist()
    return rounded
