"""Slices and groups of people: whether any of a window's is called different where all are alike."""

import numpy as np
from tests.rates.rate import Power, Rate, Study
from tests.watch.test_fairness import gap, people

from homeostat.track.predictions import Predictions
from homeostat.watch.adjust import benjamini_hochberg
from homeostat.watch.fairness import fairness
from homeostat.watch.groups import Grouped
from homeostat.watch.slices import _effect, declared_slices, found_slices, row_losses

_TRIES = {100: 400, 1_000: 400, 10_000: 200, 1_000_000: 20}
_MEASURES = ("demographic_parity", "equalised_odds", "calibration")


def studies() -> list[Study]:
    slices = [
        Study(
            family="slices, a window",
            name="found, after Benjamini-Hochberg",
            null=lambda n: _slices(n, _any_significant, alpha=0.05),
            power=Power(change="errors 10 % to 30 % in a tenth, 1,000 rows", seen=_found, least=0.8),
        ),
        Study(
            family="slices, a window",
            name="declared, worse than before",
            null=lambda n: _slices(n, _any_worse, alpha=0.01),
            power=Power(change="errors 10 % to 30 % in a tenth, 2,000 rows", seen=_worse, least=0.8),
        ),
    ]
    fair = [
        Study(
            family="fairness, a column",
            name=measure.replace("_", " "),
            null=lambda n, measure=measure: _gaps(measure, n),
            power=Power(
                change="scores of a fifth up by 0.2, 1,000 rows",
                seen=lambda measure=measure: _favoured(measure),
                least=0.8,
            ),
        )
        for measure in _MEASURES
    ]
    return slices + fair


def window(rng: np.random.Generator, n: int, *, worse: float = 0.1):
    """Three columns of groups, truth and answers that are wrong for one row in ten; in a tenth of the rows for `worse`."""
    groups = {
        "a": Grouped(column="a", names=("0", "1"), codes=rng.integers(0, 2, n)),
        "b": Grouped(column="b", names=("0", "1", "2"), codes=rng.choice(3, n, p=[0.6, 0.3, 0.1])),
        "c": Grouped(column="c", names=("0", "1", "2", "3"), codes=rng.integers(0, 4, n)),
    }
    y = rng.integers(0, 2, n)
    is_wrong = rng.random(n) < np.where(groups["b"].codes == 2, worse, 0.1)
    return groups, y, Predictions(labels=np.where(is_wrong, 1 - y, y), classes=(0, 1))


def _any_significant(rng: np.random.Generator, n: int) -> bool:
    """By significance alone: what is found must be 0.3 standard deviations worse, too."""
    groups, y, answers = window(rng, n)
    losses = row_losses(y, answers, "accuracy")
    rows = [one.rows_of(name) for one in groups.values() for name in one.names]
    adjusted = benjamini_hochberg([_effect(losses, each)[1] for each in rows if 50 <= each.sum() <= n - 50])
    return min((p for p in adjusted if p is not None), default=1.0) <= 0.05


def _any_worse(rng: np.random.Generator, n: int) -> bool:
    """By chance alone: no margin is allowed for."""
    now, then = window(rng, n), window(rng, max(n, 1_000))
    return any(one.is_worse for one in declared_slices(*now, metric="accuracy", before=then, margin=0.0))


def _slices(n: int, is_called, *, alpha: float) -> Rate:
    called = sum(is_called(np.random.default_rng([n, seed]), n) for seed in range(_TRIES[n]))
    return Rate(alarms=called, tries=_TRIES[n], nominal=alpha, is_ceiling=True)


def _found() -> tuple[int, int]:
    found = [
        found_slices(*window(np.random.default_rng([7, seed]), 1_000, worse=0.3), metric="accuracy")
        for seed in range(40)
    ]
    return sum(any(one.when == {"b": "2"} for one in each) for each in found), len(found)


def _worse() -> tuple[int, int]:
    seen = 0
    for seed in range(40):
        rng = np.random.default_rng([8, seed])
        now, then = window(rng, 2_000, worse=0.3), window(rng, 5_000)
        found = declared_slices(*now, metric="accuracy", before=then)
        seen += any(one.is_worse and one.when == {"b": "2"} for one in found)
    return seen, 40


def _gaps(measure: str, n: int) -> Rate:
    called = 0
    for seed in range(_TRIES[n]):
        groups, selected, truth, score = people(1_000 * n + seed, n=n)
        found = fairness(groups, selected=selected, truth=truth, score=score, least_rows=20, seed=seed).gaps
        called += any(one.measure == measure and one.p_value < 0.05 for one in found)
    return Rate(alarms=called, tries=_TRIES[n], nominal=0.05, is_ceiling=True)


def _favoured(measure: str) -> tuple[int, int]:
    found = []
    for seed in range(40):
        groups, selected, truth, score = people(seed, n=1_000, favour=0.2)
        found.append(gap(fairness(groups, selected=selected, truth=truth, score=score), measure).p_value < 0.01)
    return sum(found), len(found)
