import numpy as np
import pytest

from homeostat.watch.estimates.cbpe import ESTIMATOR as CBPE
from homeostat.watch.estimates.pape import ESTIMATOR
from homeostat.watch.estimator import Question, Rows


def rows(rng, n: int, share: float) -> Rows:
    """In group 1 a score means less than in group 0; `share` is that of group 1."""
    group = (rng.random(n) < share).astype(float)
    score = rng.uniform(0.05, 0.95, n)
    true = np.where(group == 1, 0.5 + 0.2 * (score - 0.5), score)
    return Rows(
        inputs=np.stack([group, score], axis=1),
        said=(score > 0.5).astype(int),
        scores=np.stack([1 - score, score], axis=1),
        truth=(rng.random(n) < true).astype(int),
    )


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "brier", "roc_auc"])
def test_a_group_whose_scores_mean_less_is_weighed_by_its_new_share(metric):
    from homeostat.watch.expected import expected

    rng = np.random.default_rng(4)
    asked = Question(
        reference=rows(rng, 8_000, 0.2), current=rows(rng, 8_000, 0.8), is_category=np.zeros(2, bool), metric=metric
    )
    current = asked.current
    realised = expected(metric, np.eye(2)[current.truth], current.said, current.scores)
    ours, plain = ESTIMATOR.estimate(asked).value, CBPE.estimate(asked).value
    assert abs(ours - realised) < 0.02
    assert abs(ours - realised) < abs(plain - realised) / 3
    assert 1_000 < asked.effective_rows < 8_000


def test_too_few_rows_give_no_estimate():
    rng = np.random.default_rng(4)
    asked = Question(
        reference=rows(rng, 500, 0.2), current=rows(rng, 49, 0.2), is_category=np.zeros(2, bool), metric="accuracy"
    )
    assert ESTIMATOR.estimate(asked) is None


@pytest.mark.long
def test_the_interval_holds_the_realised_metric_as_often_as_it_says_and_chance_alone_would_not():
    """Nominal is 95 %; of 30 windows with other held-out rows each, fewer than 24 have a chance of 1 in 1,000 then."""
    covered = by_chance = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        asked = Question(
            reference=rows(rng, 2_000, 0.2),
            current=rows(rng, 2_000, 0.6),
            is_category=np.zeros(2, bool),
            metric="accuracy",
        )
        current = asked.current
        realised = float((current.said == current.truth).mean())
        guess = ESTIMATOR.estimate(asked)
        off = abs(guess.value - realised)
        covered += off <= 2 * guess.spread
        by_chance += off <= 2 * np.sqrt(0.25 / len(current))  # what any number of right answers strays at most
    assert covered >= 24, (covered, by_chance)
    assert by_chance < covered, (covered, by_chance)
