"""Intervals: how often what they are of lies outside. The gate's, sequences that are looked at again and again, and estimates without labels."""

import math

import numpy as np
from tests.rates.rate import Power, Rate, Study
from tests.watch.estimates.test_dle import rows as rows_of_numbers
from tests.watch.estimates.test_pape import rows as rows_of_classes

from homeostat.gate.stats import difference_interval
from homeostat.serve.canary import LEAST_PAIRS, log_evidence_above, sequence_radius
from homeostat.watch.estimates import ESTIMATORS
from homeostat.watch.estimator import Guess, Question, Rows

_REFERENCE = 5_000  # as many held-out rows are kept of a version
_TWO_SD = 0.0455
_TRIES = {100: 400, 1_000: 400, 10_000: 200, 1_000_000: 40}
_TRIES_OF = {  # PAPE fits nine times
    "pape": {100: 30, 1_000: 30, 10_000: 60, 1_000_000: 20},
    "dle": {100: 100, 1_000: 100, 10_000: 100, 1_000_000: 30},
}
_TRIES_OF["cbpe"] = _TRIES_OF["dle"]


def studies() -> list[Study]:
    worse = "loss worse by 0.2 sd"
    return [
        Study(
            family="gate, 95 % interval",
            name="difference of paired losses",
            null=_differences,
            power=Power(change=f"{worse}, 1,000 rows", seen=_difference_seen, least=0.9),
        ),
        Study(
            family="canary, at every look",
            name="losses, alpha 0.05",
            null=_losses,
            power=Power(change=f"{worse}, within 1,000 labels", seen=_losses_seen, least=0.9),
        ),
        Study(
            family="canary, at every look",
            name="errors, alpha 0.05",
            null=_errors,
            power=Power(change="5 % to 10 %, within 1,000 requests", seen=_errors_seen, least=0.9),
        ),
        *(
            Study(
                family="estimate, within 2 sd",
                name=name,
                null=lambda n, name=name: _estimates(name, n),
                power=Power(change=f"{change}, 1,000 rows", seen=lambda name=name: _harder(name), least=0.8),
            )
            for name, change in {
                "cbpe": "only scores of 0.25 to 0.75",
                "pape": "a group told less of grows from 20 % to 80 %",
                "dle": "inputs up by 0.8 sd",
            }.items()
        ),
    ]


def _differences(n: int) -> Rate:
    tries, outside = min(_TRIES[n], 200), 0
    for seed in range(tries):
        rng = np.random.default_rng([n, seed])
        hard = rng.exponential(1.0, n)
        own, champions = hard + rng.exponential(0.3, n), hard + rng.normal(0.0, 0.2, n)
        found = difference_interval(own, champions, rng=rng, resamples=500)
        outside += not found.low <= 0.3 <= found.high
    return Rate(alarms=outside, tries=tries, nominal=0.05)


def _difference_seen() -> tuple[int, int]:
    rng, seen = np.random.default_rng(7), 0
    for _ in range(50):
        hard = rng.exponential(1.0, 1_000)
        own, champions = (hard + rng.normal(by, 1.0 / math.sqrt(2), 1_000) for by in (0.2, 0.0))
        seen += difference_interval(own, champions, rng=rng, resamples=300).low > 0
    return seen, 50


def _looks(n: int) -> np.ndarray:
    """Return after how many values one looks: every one up to 3,000, then every time that there are 1 % more."""
    later = np.geomspace(3_000, max(n, 3_000), 600).astype(int)
    return np.unique(np.concatenate([np.arange(LEAST_PAIRS, min(n, 3_000) + 1), later[later <= n]]))


def _is_ever_above(differences: np.ndarray) -> bool:
    looks = _looks(len(differences))
    means = differences.cumsum()[looks - 1] / looks
    variances = ((differences**2).cumsum()[looks - 1] - looks * means**2) / (looks - 1)
    return any(
        mean > sequence_radius(int(k), float(variance), alpha=0.05)
        for k, mean, variance in zip(looks, means, variances, strict=True)
        if mean > 0
    )


def _losses(n: int) -> Rate:
    ever = 0
    for seed in range(_TRIES[n]):
        rng = np.random.default_rng([n, seed])
        ever += _is_ever_above(rng.exponential(size=n) - rng.exponential(size=n))
    return Rate(alarms=ever, tries=_TRIES[n], nominal=0.05, is_ceiling=True)


def _losses_seen() -> tuple[int, int]:
    rng = np.random.default_rng(7)
    return sum(_is_ever_above(rng.normal(0.2, 1.0, 1_000)) for _ in range(100)), 100


def _is_ever_beyond(failed: np.ndarray, allowed: float) -> bool:
    errors, looks = failed.cumsum(), _looks(len(failed))
    return any(log_evidence_above(int(errors[k - 1]), int(k), allowed) >= math.log(20.0) for k in looks)


def _errors(n: int) -> Rate:
    tries = min(_TRIES[n], 100)
    ever = sum(_is_ever_beyond(np.random.default_rng([n, seed]).random(n) < 0.05, 0.05) for seed in range(tries))
    return Rate(alarms=ever, tries=tries, nominal=0.05, is_ceiling=True)


def _errors_seen() -> tuple[int, int]:
    rng = np.random.default_rng(7)
    return sum(_is_ever_beyond(rng.random(1_000) < 0.1, 0.05) for _ in range(50)), 50


def _drawn(name: str, rng: np.random.Generator, n: int, *, is_harder: bool = False) -> Rows:
    """Return n rows of a model in production; where `is_harder`, of inputs for which it is wrong more often."""
    if name == "dle":
        return rows_of_numbers(rng, n, 0.8 if is_harder else 0.0)
    if name == "pape" or not is_harder:
        return rows_of_classes(rng, n, 0.8 if is_harder else 0.2)
    many = rows_of_classes(rng, 4 * n, 0.2)
    assert many.scores is not None
    chosen = np.flatnonzero(np.abs(many.scores[:, 1] - 0.5) < 0.25)[:n]
    return Rows(
        inputs=many.inputs[chosen], said=many.said[chosen], scores=many.scores[chosen], truth=many.truth[chosen]
    )


def _guessed(name: str, reference: Rows, current: Rows, *, seed: int) -> tuple[Guess, float, float]:
    """Return the estimate for `current`, and the true metric of `current` and of `reference`."""
    metric = "mae" if name == "dle" else "accuracy"
    asked = Question(reference=reference, current=current, is_category=np.zeros(2, bool), metric=metric, seed=seed)
    now, before = (
        float(np.abs(part.truth - part.said).mean() if name == "dle" else (part.truth == part.said).mean())
        for part in (current, reference)
    )
    return ESTIMATORS[name].estimate(asked), now, before


def _estimates(name: str, n: int) -> Rate:
    """What labels show later lies outside of two standard deviations, with other held-out rows each time."""
    tries, outside = _TRIES_OF[name][n], 0
    for seed in range(tries):
        rng = np.random.default_rng([n, seed])
        guess, realised, _ = _guessed(name, _drawn(name, rng, _REFERENCE), _drawn(name, rng, n), seed=seed)
        outside += abs(guess.value - realised) > 2 * guess.spread
    return Rate(alarms=outside, tries=tries, nominal=_TWO_SD, is_ceiling=True)


def _harder(name: str) -> tuple[int, int]:
    """The estimate tells a worse metric than before, by more than two standard deviations."""
    seen = 0
    for seed in range(20):
        rng = np.random.default_rng([7, seed])
        current = _drawn(name, rng, 1_000, is_harder=True)
        guess, _, before = _guessed(name, _drawn(name, rng, _REFERENCE), current, seed=seed)
        worse = guess.value - before if name == "dle" else before - guess.value
        seen += worse > 2 * guess.spread
    return seen, 20
