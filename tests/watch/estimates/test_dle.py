import dataclasses

import numpy as np
import pytest

from homeostat.watch.estimates.dle import ESTIMATOR
from homeostat.watch.estimator import Question, Rows


def rows(rng, n: int, moved: float) -> Rows:
    """A model whose error grows with its input."""
    x = rng.normal(moved, 1.0, (n, 2))
    said = 2.0 * x[:, 0]
    return Rows(inputs=x, said=said, truth=said + rng.normal(0, 0.2 + np.abs(x[:, 1] + 1)))


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_the_loss_of_rows_that_became_harder_is_seen_before_their_labels(metric):
    rng = np.random.default_rng(1)
    asked = Question(
        reference=rows(rng, 6_000, 0.0), current=rows(rng, 3_000, 0.8), is_category=np.zeros(2, bool), metric=metric
    )

    def loss(part: Rows) -> float:
        off = part.truth - part.said
        return float(np.abs(off).mean() if metric == "mae" else np.sqrt((off**2).mean()))

    guess = ESTIMATOR.estimate(asked)
    assert loss(asked.current) > 1.3 * loss(asked.reference)
    assert guess.value == pytest.approx(loss(asked.current), abs=5 * guess.spread)
    assert abs(guess.value - loss(asked.current)) < abs(loss(asked.reference) - loss(asked.current)) / 3


def test_without_a_change_the_estimate_is_the_reference_loss():
    rng = np.random.default_rng(2)
    asked = Question(
        reference=rows(rng, 6_000, 0.0), current=rows(rng, 6_000, 0.0), is_category=np.zeros(2, bool), metric="mae"
    )
    known = asked.reference
    assert ESTIMATOR.estimate(asked).value == pytest.approx(float(np.abs(known.truth - known.said).mean()), rel=0.03)


def test_few_labelled_rows_give_no_estimate():
    rng = np.random.default_rng(3)
    asked = Question(
        reference=rows(rng, 199, 0.0), current=rows(rng, 300, 0.0), is_category=np.zeros(2, bool), metric="mae"
    )
    assert ESTIMATOR.estimate(asked) is None


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_the_calibration_error_is_chance_where_losses_follow_the_inputs_as_before_and_more_where_not(metric):
    def error_of(moved: float, *, off: float = 0.0) -> float:
        rng = np.random.default_rng(4)
        known, later = rows(rng, 5_000, 0.0), rows(rng, 1_000, moved)
        later = dataclasses.replace(later, truth=later.truth + off)
        asked = Question(reference=known, current=later, is_category=np.zeros(2, bool), metric=metric)
        return ESTIMATOR.calibration(asked)

    chance = 0.4 * np.sqrt(10 / 1_000)  # as `light_of` has it
    assert error_of(0.0) - chance < 0.03
    assert error_of(0.3) - chance < 0.06  # harder rows, and it was seen coming
    assert error_of(0.0, off=2.0) - chance > 0.06
