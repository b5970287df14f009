import numpy as np
import pytest
from tests.retrain.results import result_of

from homeostat.core.errors import InvalidInput
from homeostat.retrain.comparison import Terms, cost_of, recommend

RNG = np.random.default_rng(3)
NOISE = RNG.normal(0.0, 0.02, 60)


def even(loss, spread=1.0):
    return loss + spread * NOISE


def test_the_cheapest_within_the_tolerance_is_taken_and_it_is_sure():
    found = recommend(
        result_of(
            always={"losses": even(0.500), "fits": 61},
            every_5={"losses": even(0.505), "fits": 13},
            never={"losses": even(0.6), "fits": 1},
        ),
        Terms(tolerance=0.02),
    )
    assert (found.policy, found.best, found.by) == ("every_5", "always", "log_loss")
    assert found.difference == pytest.approx(0.005)
    assert found.confidence > 0.99  # the noise is shared: pairs cancel it
    assert found.low == pytest.approx(0.005)


def test_noise_of_its_own_makes_it_unsure():
    own = RNG.normal(0.0, 0.1, (2, 60))
    one, other = 0.5 + own - own.mean(axis=1, keepdims=True)
    found = recommend(result_of(always={"losses": one, "fits": 61}, every_5={"losses": other, "fits": 13}), Terms())
    assert found.policy == "every_5"
    assert 0.5 < found.confidence < 0.95


def test_without_tolerance_the_best_is_taken_and_of_equals_the_one_with_fewer_trainings():
    both = result_of(a={"losses": even(0.5), "fits": 61}, b={"losses": even(0.5001), "fits": 1})
    assert recommend(both, Terms(tolerance=0.0)).policy == "a"
    same = result_of(a={"losses": even(0.5), "fits": 61}, b={"losses": even(0.5), "fits": 1})
    assert recommend(same, Terms(tolerance=0.0)).policy == "b"


def test_higher_is_better_where_the_metric_says_so():
    found = result_of(higher=True, a={"losses": even(0.9), "fits": 9}, b={"losses": even(0.5), "fits": 1})
    assert recommend(found, Terms()).policy == "a"


def test_a_long_stretch_counts_as_little_as_it_is():
    """Two policies of the same mean, one of them bad in one stretch: blocks keep the stretch together, so it is less sure."""
    losses = np.full(60, 0.5)
    stretch = losses.copy()
    stretch[:12] += 0.06
    shuffled = RNG.permutation(stretch)
    sure = [
        recommend(
            result_of(a={"losses": losses, "fits": 61}, b={"losses": each, "fits": 1}), Terms(tolerance=0.03)
        ).confidence
        for each in (stretch, shuffled)
    ]
    assert sure[0] < sure[1]


def test_prices_decide_where_they_are_given():
    both = result_of(
        a={"losses": even(0.5), "error": 0.10, "fits": 61, "cycles": 30},
        b={"losses": even(0.6), "error": 0.12, "fits": 1, "cycles": 0},
    )
    dear = Terms(price_error=1.0, price_retraining=100.0)
    assert cost_of(both.policies[0], dear) == pytest.approx(60 * 100 * 0.10 + 30 * 100)
    assert recommend(both, dear).policy == "b"
    cheap = recommend(both, Terms(price_error=1.0, price_retraining=0.1))
    assert (cheap.policy, cheap.by) == ("a", "cost")
    assert cost_of(both.policies[0], Terms()) is None


def test_too_little_to_compare():
    assert recommend(result_of(a={"losses": even(0.5), "fits": 1}), Terms()) is None
    short = result_of(a={"losses": even(0.5)[:3], "fits": 1}, b={"losses": even(0.5)[:3], "fits": 1})
    assert recommend(short, Terms()) is None


@pytest.mark.parametrize("wrong", [{"tolerance": -0.1}, {"price_error": float("nan")}, {"price_retraining": -1.0}])
def test_terms_that_mean_nothing_are_refused(wrong):
    with pytest.raises(InvalidInput, match="must be a number from 0 on"):
        Terms(**wrong)
