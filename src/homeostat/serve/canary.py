"""Whether a version under trial goes on to more traffic, waits, or goes back. Pure; may be asked after every request.

Peeking makes ordinary tests fire sooner or later on equal models. The tests here hold at all times at once: the chance of ever rolling back
on them is at most `alpha`, an equal part spent on each, for a version at or below the allowed error rate, distance of answers and loss.

The allowed loss is the champion's and the `margin` that the gate allows too. A version goes back when its loss is credibly above that, and
advances, where labels are waited for, when it is probably below. Between the two, more labels are waited for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol

LEAST_LATENCIES = 50  # requests timed on both sides before their latency says something
LEAST_LATENCY_EXCESS_MS = 5.0  # a ratio of tiny times is noise of the machine
MARGIN_SHARE = (
    0.05  # of the champion's loss, where no margin is set: as at the gate, and the least that watching calls decay
)
PROBABLY = 0.2533  # the standard normal's 60 % quantile: as sure as the gate is by default that a refresh is not worse
LEAST_PAIRS = 100  # before that the estimated variance, on which the sequence rests, is not to be trusted
_TUNED_FOR_PAIRS = 1000  # the number of pairs at which the sequence is narrowest


class Step(Protocol):
    """What a step of the rollout asks for before it is left upwards."""

    @property
    def requests(self) -> int: ...
    @property
    def time(self) -> timedelta: ...


class Rollout(Protocol):
    """The rules of the whole rollout (`retrain.settings.Rollout`)."""

    @property
    def canary(self) -> Sequence[Step]: ...
    @property
    def labels(self) -> int: ...
    @property
    def margin(self) -> float | None: ...
    @property
    def max_error_rate(self) -> float: ...
    @property
    def max_latency_ratio(self) -> float: ...
    @property
    def max_disagreement(self) -> float | None: ...
    @property
    def max_shift(self) -> float | None: ...
    @property
    def alpha(self) -> float: ...
    @property
    def patience(self) -> timedelta: ...
    @property
    def on_timeout(self) -> Literal["promote", "roll_back"]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStats:
    """What a step has seen so far. Latencies are of requests that both versions evaluated, in milliseconds; None without any.

    `least_latency_*`: what the quantile of the version's own latencies credibly reaches; None while there are too few to say.

    `disagreement`: mean absolute difference of the answers over pairs of rows, in standard deviations of the champion's; `shift`: the mean
    difference, signed. Their `_variance` is like `loss_variance`, over `paired_requests`; None below two.
    `loss_mean`: of candidate's minus champion's loss over `labelled` pairs. Rows of one request resemble each other, so the unit of
    evidence is the request: `loss_variance` is the variance of the mean, robust to such clusters, times `labelled_requests` (None: as many
    as `labelled`, every request of one row; then it is the plain variance with n - 1). `champion_loss`: its mean over the same rows.
    """

    elapsed: timedelta
    requests: int = 0
    errors: int = 0
    champion_requests: int = 0
    champion_errors: int = 0
    timed: int = 0
    least_latency_p50_ms: float | None = None
    least_latency_p95_ms: float | None = None
    champion_latency_p50_ms: float | None = None
    champion_latency_p95_ms: float | None = None
    pairs: int = 0
    paired_requests: int = 0
    disagreement: float | None = None
    disagreement_variance: float | None = None
    shift: float | None = None
    shift_variance: float | None = None
    labelled: int = 0
    labelled_requests: int | None = None
    loss_mean: float | None = None
    loss_variance: float | None = None
    champion_loss: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.errors <= self.requests or not 0 <= self.champion_errors <= self.champion_requests:
            raise ValueError(f"there are more errors than requests in {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    action: Literal["advance", "hold", "roll_back"]
    because: str


def judge(stats: StepStats, step: Step, rollout: Rollout, *, is_last: bool | None = None) -> Advice:
    """Return what to do with a version at this step, and why in one sentence.

    `is_last`: whether this step is the one that waits for labels; None: it is when it equals the last of `rollout.canary`.
    """
    fault = _errors(stats, rollout) or _latency(stats, rollout) or _answers(stats, rollout) or _losses(stats, rollout)
    if fault:
        return Advice(action="roll_back", because=fault)
    if is_last is None:
        is_last = bool(rollout.canary) and step == rollout.canary[-1]
    missing = _missing(stats, step, rollout, labels=rollout.labels if is_last else 0)
    if not missing:
        return Advice(action="advance", because=_good(stats))
    if stats.elapsed >= rollout.patience:
        waited = f"after {_words(stats.elapsed)} of patience the step still lacks {missing}"
        return Advice(action="advance" if rollout.on_timeout == "promote" else "roll_back", because=waited)
    return Advice(action="hold", because=f"waiting for {missing}")


def _missing(stats: StepStats, step: Step, rollout: Rollout, *, labels: int) -> str:
    lacks = []
    if stats.requests < step.requests:
        lacks.append(f"{step.requests - stats.requests} more requests")
    if stats.elapsed < step.time:
        lacks.append(_words(step.time - stats.elapsed))
    if stats.labelled < labels:
        lacks.append(f"{labels - stats.labelled} more labels")
    elif labels and _units(stats) < LEAST_PAIRS:
        # before that the loss test is silent, and labels were asked for so that it speaks
        lacks.append(f"labels of {LEAST_PAIRS - _units(stats)} more requests")
    elif labels and (doubt := _doubt(stats, rollout)):
        lacks.append(doubt)
    return " and ".join(lacks)


def _doubt(stats: StepStats, rollout: Rollout) -> str | None:
    """Return the proof that labels still owe: that the version is probably not worse by more than the margin."""
    if stats.loss_mean is None or stats.loss_variance is None:
        return None
    margin = _margin(stats, rollout)
    if stats.loss_mean + PROBABLY * math.sqrt(stats.loss_variance / _units(stats)) <= margin:
        return None
    return (
        f"labels that make it probable that its loss is at most {margin:.3g} above the champion's "
        f"(so far {stats.loss_mean:+.3g} over {stats.labelled} labelled rows)"
    )


def _margin(stats: StepStats, rollout: Rollout) -> float:
    """Return how much its loss may be above the champion's."""
    return MARGIN_SHARE * max(stats.champion_loss or 0.0, 0.0) if rollout.margin is None else rollout.margin


def _units(stats: StepStats) -> int:
    return stats.labelled if stats.labelled_requests is None else stats.labelled_requests


def _good(stats: StepStats) -> str:
    found = f"{stats.requests} requests, {stats.errors} errors"
    if stats.labelled and stats.loss_mean is not None:
        found += f", loss {stats.loss_mean:+.4g} against the champion over {stats.labelled} labelled rows"
    return found


def _errors(stats: StepStats, rollout: Rollout) -> str | None:
    # Requests that break the champion too are not the candidate's fault.
    champion = stats.champion_errors / stats.champion_requests if stats.champion_requests else 0.0
    allowed = max(rollout.max_error_rate, champion)
    if log_evidence_above(stats.errors, stats.requests, allowed) < -math.log(_alpha(rollout)):
        return None
    return f"{stats.errors} of {stats.requests} requests failed, credibly above the allowed {allowed:.2%}"


def _latency(stats: StepStats, rollout: Rollout) -> str | None:
    if stats.timed < LEAST_LATENCIES:
        return None
    for name, own, champions in (
        ("median", stats.least_latency_p50_ms, stats.champion_latency_p50_ms),
        ("95th percentile", stats.least_latency_p95_ms, stats.champion_latency_p95_ms),
    ):
        if own is None or champions is None or own - champions < LEAST_LATENCY_EXCESS_MS:
            continue
        if own > rollout.max_latency_ratio * champions:
            return (
                f"its {name} latency is credibly above {own:.1f} ms against the champion's {champions:.1f} ms, "
                f"more than {rollout.max_latency_ratio:g} times as long"
            )
    return None


def _answers(stats: StepStats, rollout: Rollout) -> str | None:
    """Return how the answers are credibly further from the champion's on the same rows than is allowed."""
    n = stats.paired_requests
    if n < LEAST_PAIRS:
        return None
    for told, found, variance, limit in (
        ("differ from the champion's", stats.disagreement, stats.disagreement_variance, rollout.max_disagreement),
        ("lie apart from the champion's", stats.shift, stats.shift_variance, rollout.max_shift),
    ):
        if limit is None or found is None or variance is None:
            continue
        least = abs(found) - sequence_radius(n, variance, alpha=_alpha(rollout))
        if least > limit:
            return (
                f"its answers {told} by {found:.3g} standard deviations on average "
                f"(at least {least:.3g} credible), limit {limit:g}, over {n} requests"
            )
    return None


def _alpha(rollout: Rollout) -> float:
    """Return what each test may spend of alpha: errors and losses always, answers where they have a limit."""
    return rollout.alpha / (2 + (rollout.max_disagreement is not None) + (rollout.max_shift is not None))


def _losses(stats: StepStats, rollout: Rollout) -> str | None:
    units = _units(stats)
    if stats.loss_mean is None or stats.loss_variance is None or units < LEAST_PAIRS:
        return None
    least, margin = (
        stats.loss_mean - sequence_radius(units, stats.loss_variance, alpha=_alpha(rollout)),
        _margin(stats, rollout),
    )
    if least <= margin:
        return None
    return (
        f"its loss is worse than the champion's by {stats.loss_mean:.4g} "
        f"(at least {least:.4g} credible, {margin:.4g} allowed) over {stats.labelled} labelled rows of {units} requests"
    )


def sequence_radius(n: int, variance: float, *, alpha: float, tuned_for: int = _TUNED_FOR_PAIRS) -> float:
    """Return the half-width of a confidence sequence for a mean after `n` values: right at all n at once with probability 1 - alpha.

    Asymptotic confidence sequence of I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy, A. Ramdas (2021), "Time-uniform central limit
    theory and asymptotic confidence sequences": sd * sqrt(2 (n rho^2 + 1) / (n^2 rho^2) * log(sqrt(n rho^2 + 1) / alpha)). rho is chosen so
    that it is narrowest near `tuned_for` values. Two-sided; read on one side it is conservative: a third of alpha for symmetric
    differences, as those of two equal models are. For an extremely skewed one (a negated lognormal) simulation gives 1.5 alpha.

    >>> sequence_radius(100, 1.0, alpha=0.05) > sequence_radius(1000, 1.0, alpha=0.05) > 1.96 / 1000**0.5
    True
    """
    rho2 = (-2.0 * math.log(alpha) + math.log(-2.0 * math.log(alpha) + 1.0)) / tuned_for
    return math.sqrt(variance * 2.0 * (n * rho2 + 1.0) / (n * n * rho2) * math.log(math.sqrt(n * rho2 + 1.0) / alpha))


def log_evidence_above(errors: int, n: int, allowed: float) -> float:
    """Return the log of a bet's wealth against "the error rate is at most `allowed`": a test martingale under `allowed`.

    The likelihood ratio averaged over all greater rates, equally weighted (the method of mixtures; H. Robbins (1970), "Statistical
    methods related to the law of the iterated logarithm"). By Ville's inequality it ever reaches 1 / alpha with probability at most
    alpha, whenever one looks; a lower true rate makes that rarer still.

    >>> log_evidence_above(0, 100, 0.01) < 0 < log_evidence_above(10, 100, 0.01)
    True
    """
    if not n or allowed >= 1.0:
        return 0.0
    if allowed <= 0.0:
        return math.inf if errors else 0.0
    # integral over rates p > allowed of p^k (1-p)^(n-k) = Beta(k+1, n-k+1) * P(Binomial(n+1, allowed) <= k)
    beta = math.lgamma(errors + 1) + math.lgamma(n - errors + 1) - math.lgamma(n + 2)
    null = errors * math.log(allowed) + (n - errors) * math.log1p(-allowed)
    return beta + _log_binomial_cdf(errors, n + 1, allowed) - math.log1p(-allowed) - null


def _log_binomial_cdf(k: int, n: int, p: float) -> float:
    """Return log P(Binomial(n, p) <= k), summed from the greatest term down."""
    if k >= n:
        return 0.0
    term = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    greatest = term + k * math.log(p) + (n - k) * math.log1p(-p)
    if k > n * p + 10.0 * math.sqrt(n * p * (1.0 - p)) + 10.0:
        return 0.0  # all but nothing lies below
    total, ratio = 1.0, 1.0
    for i in range(k, 0, -1):
        ratio *= i / (n - i + 1) * (1.0 - p) / p
        total += ratio
        if ratio < total * 1e-16:
            break
    return min(0.0, greatest + math.log(total))


def _words(duration: timedelta) -> str:
    seconds = duration.total_seconds()
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
