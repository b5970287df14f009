"""Which of the compared policies to take, and how sure that is: the cheapest of those that are as good as the best, within a tolerance. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homeostat.core.errors import InvalidInput
from homeostat.retrain.backtest_result import BacktestResult, PolicyResult, Recommendation, has_trained

Floats = npt.NDArray[np.float64]

_DRAWS = 2000
_LEAST_STEPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a comparison goes by.

    `tolerance`: how far from the best a policy may be, as a share of the best value. `price_error`: of one wrong label, or of one unit of
    absolute error; `price_retraining`: of one cycle that trained; with prices the cost decides, else the primary metric. `change_points`:
    times, or numbers of rows before the first one of the new world.
    """

    tolerance: float = 0.02
    price_error: float | None = None
    price_retraining: float | None = None
    change_points: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("tolerance", "price_error", "price_retraining"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0.0):
                raise InvalidInput(f"{name} is {value}, it must be a number from 0 on", hint="write for example 0.02")

    @property
    def has_prices(self) -> bool:
        return self.price_error is not None or self.price_retraining is not None


def cost_of(one: PolicyResult, terms: Terms) -> float | None:
    """Return what errors and trainings cost over the replay, None without prices. The first model is everybody's and costs nothing."""
    return float(_costs(one, terms).sum()) if terms.has_prices else None


def recommend(result: BacktestResult, terms: Terms, *, seed: int = 0) -> Recommendation | None:
    """Return the policy to take; None where fewer than two policies or four steps can be compared.

    Cheapest is the policy with the fewest trainings (then the least CPU); with prices, the cost decides what is good and the trainings
    what is cheap. `confidence`: in what share of 2,000 resampled histories the policy is within the tolerance of the best of that history;
    resampled are steps, the same for all policies, in blocks, because neighbours resemble each other. D. N. Politis and J. P. Romano
    (1992), "A circular block-resampling procedure for stationary data", in LePage and Billard, "Exploring the Limits of Bootstrap".
    """
    policies = [one for one in result.policies if one.answered]
    values, weights = _values(policies, result, terms)
    if len(policies) < 2 or values.shape[1] < _LEAST_STEPS:
        return None
    means = _means(values, weights, np.arange(values.shape[1])[None, :])[:, 0]
    good = np.flatnonzero(_is_good(means, terms.tolerance))
    chosen = min(good, key=lambda at: (policies[at].fits, policies[at].cpu_s))
    best = int(means.argmin())
    drawn = _means(values, weights, _blocks(values.shape[1], np.random.default_rng(seed)))
    apart = drawn[chosen] - drawn[best]
    low, high = np.quantile(apart, [0.025, 0.975])
    return Recommendation(
        policy=policies[chosen].policy,
        best=policies[best].policy,
        by="cost" if terms.has_prices else result.primary,
        tolerance=terms.tolerance,
        difference=float(means[chosen] - means[best]),
        low=float(low),
        high=float(high),
        confidence=float(_is_good(drawn, terms.tolerance)[chosen].mean()),
        steps=values.shape[1],
    )


def _values(policies: Sequence[PolicyResult], result: BacktestResult, terms: Terms) -> tuple[Floats, Floats]:
    """Return what each policy lost in each step that all answered, (policies, steps), and the weights of the steps, (steps,)."""
    steps = range(len(policies[0].steps)) if policies else range(0)
    name = "error" if terms.has_prices else result.primary
    shared = [k for k in steps if all(name in one.steps[k].metrics for one in policies)]
    if terms.has_prices:
        return np.array([_costs(one, terms)[shared] for one in policies]), np.ones(len(shared))
    sign = -1.0 if result.higher_is_better.get(result.primary) else 1.0
    values = np.array([[sign * one.steps[k].metrics[name] for k in shared] for one in policies])
    return values, np.array([policies[0].steps[k].rows for k in shared], dtype=np.float64)


def _costs(one: PolicyResult, terms: Terms) -> Floats:
    wrong = np.array([step.metrics.get("error", 0.0) * step.answered for step in one.steps])
    trained = np.array([has_trained(step.turn.action, step.turn.trigger) for step in one.steps], dtype=np.float64)
    return np.asarray((terms.price_error or 0.0) * wrong + (terms.price_retraining or 0.0) * trained)


def _means(values: Floats, weights: Floats, drawn: npt.NDArray[np.intp]) -> Floats:
    """Return the weighted mean of each policy in each draw, (policies, draws); `drawn`: (draws, steps)."""
    taken = weights[drawn]
    return np.asarray((values[:, drawn] * taken).sum(axis=2) / taken.sum(axis=1))


def _is_good(means: Floats, tolerance: float) -> npt.NDArray[np.bool_]:
    best = means.min(axis=0)
    return np.asarray(means <= best + tolerance * np.abs(best))


def _blocks(steps: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return draws of steps in blocks of the cube root of their number, (draws, steps); behind the last comes the first."""
    length = max(1, round(steps ** (1 / 3)))
    starts = rng.integers(0, steps, (_DRAWS, math.ceil(steps / length)))
    found = (starts[:, :, None] + np.arange(length)) % steps
    return np.asarray(found.reshape(_DRAWS, -1)[:, :steps])
