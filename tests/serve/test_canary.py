import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as reference

from homeostat.core.duration import Duration
from homeostat.retrain.settings import CanaryStep, Rollout
from homeostat.serve.canary import LEAST_PAIRS, PROBABLY, StepStats, judge, log_evidence_above, sequence_radius

FIRST = CanaryStep(percent=10.0, requests=100, time=Duration(minutes=5))
LAST = CanaryStep(percent=50.0, requests=100)
ROLLOUT = Rollout(canary=[FIRST, LAST], alpha=0.05)
HOUR = timedelta(hours=1)


def seen(**other):
    return StepStats(**{"elapsed": HOUR, "requests": 100, "champion_requests": 100, **other})


def test_a_step_that_saw_enough_and_no_fault_is_left_upwards():
    advice = judge(seen(), FIRST, ROLLOUT)
    assert advice.action == "advance"
    assert "100 requests" in advice.because


@pytest.mark.parametrize(
    ("stats", "because"),
    [
        (seen(requests=40), "60 more requests"),
        (seen(elapsed=timedelta(minutes=1)), "4 min"),
        (StepStats(elapsed=timedelta(0)), "100 more requests and 5 min"),
    ],
)
def test_a_step_holds_and_says_what_it_waits_for(stats, because):
    advice = judge(stats, FIRST, ROLLOUT)
    assert advice.action == "hold"
    assert because in advice.because


def test_labels_are_waited_for_at_the_last_step_only():
    rollout = Rollout(canary=[FIRST, LAST], labels=200)
    assert judge(seen(labelled=150), FIRST, rollout).action == "advance"
    waiting = judge(seen(labelled=150), LAST, rollout)
    assert (waiting.action, waiting.because) == ("hold", "waiting for 50 more labels")
    assert judge(seen(labelled=200), LAST, rollout).action == "advance"
    assert judge(seen(labelled=150), LAST, rollout, is_last=False).action == "advance"
    assert judge(seen(labelled=150), FIRST, rollout, is_last=True).action == "hold"


@pytest.mark.parametrize(("on_timeout", "action"), [("roll_back", "roll_back"), ("promote", "advance")])
def test_patience_ends(on_timeout, action):
    rollout = Rollout(canary=[FIRST], patience=Duration(hours=1), on_timeout=on_timeout)
    assert judge(seen(requests=1, elapsed=timedelta(minutes=59)), FIRST, rollout).action == "hold"
    advice = judge(seen(requests=1, elapsed=HOUR), FIRST, rollout)
    assert advice.action == action
    assert "99 more requests" in advice.because


def test_errors_credibly_above_the_limit_roll_back_before_the_step_is_over():
    advice = judge(seen(requests=10, errors=5), FIRST, ROLLOUT)
    assert advice.action == "roll_back"
    assert "5 of 10 requests failed" in advice.because


def test_one_error_among_few_is_no_proof():
    assert judge(seen(requests=10, errors=1), FIRST, ROLLOUT).action == "hold"


def test_requests_that_break_the_champion_too_are_not_the_candidate_s_fault():
    alone = seen(requests=1000, errors=100, champion_requests=1000)
    both = seen(requests=1000, errors=100, champion_requests=1000, champion_errors=105)
    assert judge(alone, FIRST, ROLLOUT).action == "roll_back"
    assert judge(both, FIRST, ROLLOUT).action == "advance"


def test_without_any_allowance_the_first_error_rolls_back():
    rollout = Rollout(canary=[FIRST], max_error_rate=0.0)
    assert judge(seen(errors=1), FIRST, rollout).action == "roll_back"
    assert judge(seen(errors=0), FIRST, rollout).action == "advance"


def timed(p50, p95, champion_p50=4.0, champion_p95=8.0, timed=100):
    return seen(
        timed=timed,
        least_latency_p50_ms=p50,
        least_latency_p95_ms=p95,
        champion_latency_p50_ms=champion_p50,
        champion_latency_p95_ms=champion_p95,
    )


@pytest.mark.parametrize(
    ("stats", "action"),
    [
        (timed(5.0, 10.0), "advance"),
        (timed(13.0, 20.0), "roll_back"),
        (timed(5.0, 100.0), "roll_back"),
        (timed(13.0, 20.0, timed=10), "advance"),
        (timed(None, None), "advance"),
        (timed(0.9, 1.8, 0.1, 0.2), "advance"),
    ],
    ids=["as fast", "slow median", "slow tail", "too few to say", "nothing credible", "nine times nothing is nothing"],
)
def test_latency_is_compared_with_the_champion_s_on_the_same_requests(stats, action):
    assert judge(stats, FIRST, ROLLOUT).action == action


def test_distances_of_answers_count_only_where_a_limit_is_set_and_they_are_credibly_above_it():
    def apart(by, n=1000, variance=0.01):
        return seen(
            paired_requests=n, disagreement=by, disagreement_variance=variance, shift=-by, shift_variance=variance
        )

    assert judge(apart(0.9), FIRST, ROLLOUT).action == "advance"
    for limit in ("max_disagreement", "max_shift"):
        limited = Rollout(canary=[FIRST], **{limit: 0.5})
        assert judge(apart(0.9), FIRST, limited).action == "roll_back"
        assert judge(apart(0.4), FIRST, limited).action == "advance"
        assert judge(apart(0.9, n=3), FIRST, limited).action == "advance"
        assert judge(apart(0.9, variance=100.0), FIRST, limited).action == "advance"


def _ever_rolled_back(draw, rollout, seed, *, rollouts=400, looks=range(100, 1001, 20)):
    """Return the share of rollouts that are ever taken back for the distance of their answers, looked at again and again."""
    rng, ended = np.random.default_rng(seed), 0
    for _ in range(rollouts):
        signed = draw(rng, max(looks))
        for n in looks:
            one, far = signed[:n], np.abs(signed[:n])
            stats = seen(
                requests=n,
                paired_requests=n,
                disagreement=far.mean(),
                disagreement_variance=far.var(ddof=1),
                shift=one.mean(),
                shift_variance=one.var(ddof=1),
            )
            if judge(stats, FIRST, rollout).action == "roll_back":
                ended += 1
                break
    return ended / rollouts


LIMITED = Rollout(canary=[FIRST], alpha=0.05, max_disagreement=0.5, max_shift=0.2)


def test_answers_exactly_as_far_as_is_allowed_are_rarely_ever_taken_back_however_often_one_looks():
    def at_both_limits(rng, n):
        # |x| of mean 0.5 and x of mean 0.2: with the chance 0.7 above zero
        return np.where(rng.random(n) < 0.7, 1.0, -1.0) * rng.exponential(0.5, n)

    assert _ever_rolled_back(at_both_limits, LIMITED, 1) <= LIMITED.alpha


def test_answers_that_are_twice_as_far_as_is_allowed_are_taken_back():
    assert _ever_rolled_back(lambda rng, n: rng.normal(0.4, 0.5, n), LIMITED, 2, rollouts=100) > 0.95


def test_a_credibly_worse_loss_rolls_back():
    advice = judge(seen(labelled=400, loss_mean=0.5, loss_variance=1.0), FIRST, ROLLOUT)
    assert advice.action == "roll_back"
    assert "worse than the champion's by 0.5" in advice.because
    assert judge(seen(labelled=400, loss_mean=-0.5, loss_variance=1.0), FIRST, ROLLOUT).action == "advance"
    assert judge(seen(labelled=110, loss_mean=0.2, loss_variance=1.0), FIRST, ROLLOUT).action == "advance"


WAITING = Rollout(canary=[LAST], labels=1800, alpha=0.01)


def test_labels_that_suffice_do_not_promote_what_is_worse_but_not_yet_credibly():
    # a model that learned shuffled labels by heart, on 114 airport-hours of flights: a few rows cost so much that nothing is certain yet
    by_heart = {"labelled": 1850, "labelled_requests": 114, "loss_mean": 2.6, "loss_variance": 7.08**2}
    advice = judge(seen(**by_heart, champion_loss=0.5), LAST, WAITING)
    assert advice.action == "hold"
    assert "at most 0.025 above the champion's (so far +2.6 over 1850 labelled rows)" in advice.because
    later = {**by_heart, "labelled": 2400, "labelled_requests": 150}
    assert judge(seen(**later, champion_loss=0.5), LAST, WAITING).action == "roll_back"


@pytest.mark.parametrize(
    ("loss_mean", "margin", "action"),
    [
        (-0.1, None, "advance"),
        (0.02, None, "advance"),
        (0.0249, None, "hold"),  # by itself within the margin, but not probably so
        (0.03, None, "hold"),
        (0.03, 0.05, "advance"),
        (0.0, 0.0, "hold"),
        (-0.01, 0.0, "advance"),
    ],
)
def test_the_margin_is_a_twentieth_of_the_champion_s_loss_or_what_is_set(loss_mean, margin, action):
    rollout = Rollout(canary=[LAST], labels=400, margin=margin)
    stats = seen(labelled=400, loss_mean=loss_mean, loss_variance=0.04, champion_loss=0.5)
    assert judge(stats, LAST, rollout).action == action


def test_an_equal_answer_is_within_any_margin():
    rollout = Rollout(canary=[LAST], labels=400, margin=0.0)
    stats = seen(labelled=400, loss_mean=0.0, loss_variance=0.0, champion_loss=0.5)
    assert judge(stats, LAST, rollout).action == "advance"


def test_the_margin_says_nothing_where_no_labels_are_waited_for():
    worse = {"labelled": 400, "loss_mean": 0.05, "loss_variance": 1.0, "champion_loss": 0.5}
    assert judge(seen(**worse), LAST, Rollout(canary=[LAST])).action == "advance"
    assert judge(seen(**worse), FIRST, Rollout(canary=[FIRST, LAST], labels=200)).action == "advance"


@pytest.mark.parametrize(("on_timeout", "action"), [("roll_back", "roll_back"), ("promote", "advance")])
def test_patience_ends_for_what_stays_in_doubt(on_timeout, action):
    rollout = Rollout(canary=[LAST], labels=400, patience=Duration(hours=1), on_timeout=on_timeout)
    advice = judge(seen(labelled=400, loss_mean=0.05, loss_variance=1.0, champion_loss=0.5), LAST, rollout)
    assert advice.action == action
    assert "after 60 min of patience" in advice.because


def rollouts(excess, *, trials=600, first=100, last=1000):
    """Return the shares promoted and rolled back of versions that are worse by `excess` margins, judged after every tenth request.

    At the first look the difference of the losses is known to 0.6 margins (one standard error).
    """
    rng = np.random.default_rng(3)
    differences = rng.normal(excess, 6.0, size=(trials, last))
    looks = np.arange(first, last + 1, 10)
    means = differences.cumsum(axis=1)[:, looks - 1] / looks
    variances = ((differences**2).cumsum(axis=1)[:, looks - 1] - looks * means**2) / (looks - 1)
    radii = np.sqrt(variances) * [sequence_radius(int(n), 1.0, alpha=0.005) for n in looks]
    never = np.full((trials, 1), fill_value=True)
    back = np.hstack([means - radii > 1.0, never]).argmax(axis=1)
    on = np.hstack([means + PROBABLY * np.sqrt(variances / looks) <= 1.0, never]).argmax(axis=1)
    return (on < back).mean(), (back < on).mean()


def test_an_equal_version_is_promoted_and_one_worse_by_twice_the_margin_is_not():
    promoted, back = rollouts(0.0)
    assert promoted > 0.99
    assert back <= 0.01
    promoted, back = rollouts(2.0)
    assert promoted < 0.08
    assert back > 0.88
    promoted, _ = rollouts(4.0)
    assert promoted == 0.0


def test_one_that_is_worse_by_no_more_than_the_margin_is_hardly_ever_taken_back():
    for excess in (0.8, 1.0):
        _, back = rollouts(excess)
        assert back <= 0.005


def test_a_difference_that_is_credible_but_within_the_margin_is_no_fault():
    # certainly worse, by 0.02 of a loss of 0.5, of which the gate allows 0.025
    tiny = {"labelled": 2000, "loss_mean": 0.02, "loss_variance": 0.0001, "champion_loss": 0.5}
    assert judge(seen(**tiny), FIRST, ROLLOUT).action == "advance"
    assert judge(seen(**tiny), LAST, WAITING).action == "advance"
    strict = Rollout(canary=[FIRST], margin=0.0)
    advice = judge(seen(**tiny), FIRST, strict)
    assert advice.action == "roll_back"
    assert "credible, 0 allowed" in advice.because
    assert judge(seen(**(tiny | {"loss_mean": 0.03})), FIRST, ROLLOUT).action == "roll_back"


def test_a_constant_difference_of_zero_is_no_fault():
    assert judge(seen(labelled=400, loss_mean=0.0, loss_variance=0.0), FIRST, ROLLOUT).action == "advance"


def test_more_errors_than_requests_do_not_construct():
    with pytest.raises(ValueError, match="more errors"):
        StepStats(elapsed=HOUR, requests=1, errors=2)


@given(st.integers(0, 400), st.integers(0, 400), st.floats(0.001, 0.9))
def test_the_wealth_is_the_averaged_likelihood_ratio(errors, good, allowed):
    n = errors + good
    if not n:
        return
    log_tail = reference.beta.logsf(allowed, errors + 1, good + 1)
    assume(log_tail > -690.0)  # below, scipy's tail is no longer a normal number
    log_beta = math.lgamma(errors + 1) + math.lgamma(good + 1) - math.lgamma(n + 2)
    null = errors * math.log(allowed) + good * math.log1p(-allowed)
    wanted = log_beta + log_tail - math.log1p(-allowed) - null
    assert log_evidence_above(errors, n, allowed) == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def binomial_limit(trials, p):
    return reference.binom.ppf(0.9995, trials, p)


def test_watching_errors_after_every_request_rolls_back_wrongly_no_more_than_alpha():
    rng = np.random.default_rng(0)
    trials, n, allowed = 400, 1000, 0.05
    wrong = 0
    for _ in range(trials):
        errors = np.cumsum(rng.random(n) < allowed)
        # only the request that failed can raise the wealth
        at = np.flatnonzero(np.diff(errors, prepend=0))
        wrong += any(log_evidence_above(int(errors[i]), int(i) + 1, allowed) >= math.log(20.0) for i in at)
    assert wrong <= binomial_limit(trials, 0.05)


@pytest.mark.parametrize("draw", ["normal", "skewed", "rare"])
def test_watching_losses_after_every_label_rolls_back_wrongly_no_more_than_alpha(draw):
    rng = np.random.default_rng(1)
    trials, n = 1000, 3000
    differences = {
        "normal": lambda: rng.normal(size=(trials, n)),
        "skewed": lambda: rng.exponential(size=(trials, n)) - rng.exponential(size=(trials, n)) ** 2 / 2,
        "rare": lambda: (rng.random((trials, n)) < 0.1) - (rng.random((trials, n)) < 0.1).astype(float),
    }[draw]()
    counts = np.arange(1, n + 1)
    means = differences.cumsum(axis=1) / counts
    variances = ((differences**2).cumsum(axis=1) - counts * means**2) / np.maximum(counts - 1, 1)
    unit = np.array([sequence_radius(int(k), 1.0, alpha=0.05) for k in counts])
    below = means - unit * np.sqrt(np.maximum(variances, 0.0)) > 0.0
    wrong = below[:, LEAST_PAIRS:].any(axis=1).sum()
    assert wrong <= binomial_limit(trials, 0.05)


def test_a_worse_candidate_is_found_soon():
    rng = np.random.default_rng(2)
    found = []
    for _ in range(50):
        differences = rng.normal(0.5, 1.0, size=1000)
        for n in range(LEAST_PAIRS, 1001):
            stats = seen(
                labelled=n,
                loss_mean=float(differences[:n].mean()),
                loss_variance=float(differences[:n].var(ddof=1)),
            )
            if judge(stats, FIRST, ROLLOUT).action == "roll_back":
                found.append(n)
                break
    assert len(found) == 50
    assert np.median(found) < 200


def test_the_sequence_is_the_published_one():
    n, rho2 = 250, (-2 * math.log(0.05) + math.log(-2 * math.log(0.05) + 1)) / 1000
    wanted = 2.0 * math.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * math.log(math.sqrt(n * rho2 + 1) / 0.05))
    assert sequence_radius(n, 4.0, alpha=0.05) == pytest.approx(wanted)
