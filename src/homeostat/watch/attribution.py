"""Why a metric changed: how much of it is each group of columns' shift, and how much that labels follow other laws given them. Pure.

The value of a set of changes is the mean loss in a world where only these happened: the inputs' groups in the set are distributed as now, the
others as they were given them (importance weights of the reference, or of the current rows where the labels' law changed too); the exact
Shapley value of each change is its mean contribution over all orders (H. Zhang, H. Singh, M. Ghassemi and S. Joshi 2023, "Why did the Model
Fail?: Attributing Model Performance Changes to Distribution Shifts", ICML). Contributions add up to the whole change.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import msgspec
import numpy as np
import numpy.typing as npt

from homeostat.watch.domain import (
    HALVINGS,
    MOST_WEIGHT,
    Apart,
    effective_rows,
    half_sample_error,
    halves,
    tell_apart,
)
from homeostat.watch.sample import Floats

CONCEPT = "labels given the inputs"
MOST_GROUPS = 4  # 2 ** 4 - 1 classifiers
LEAST_EFFECTIVE = 50.0
_DRAWS = 200

Set = frozenset[str]
Halves = npt.NDArray[np.intp]


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the change a cause made, in units of the loss, with a 95 % bootstrap interval; `share` of the whole change, None where that is within chance."""

    cause: str
    columns: list[str]
    value: float
    low: float
    high: float
    share: float | None


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """The change of the mean loss from the reference to the current rows, with its interval, and what made it, the greatest first.

    `effective_rows`: the least that any weighted sample was worth. Below 50 the samples overlap too little for weights to say anything: then `is_sound` is false.
    """

    before: float
    after: float
    change: float
    low: float
    high: float
    causes: list[Contribution]
    effective_rows: float
    is_sound: bool


def attribute(
    reference: Floats,
    current: Floats,
    *,
    losses: tuple[Floats, Floats],
    groups: Mapping[str, Sequence[int]],
    is_category: npt.NDArray[np.bool_],
    names: Sequence[str],
    seed: int = 0,
) -> Attribution:
    """Return what made the mean loss change. `reference` (n, n_columns), `current` (m, n_columns); `losses` of shapes (n,) and (m,), lower is better.

    `groups`: names of at most four groups, with the places of their columns; together all columns that may matter. Intervals are of resampled rows,
    and widened to what refits on both halves of three random halvings say: weights are estimates too. Cost: a domain classifier for each set of
    groups, up to 15, and its refits. Raises ValueError for more groups, and below 50 rows.
    """
    if not 1 <= len(groups) <= MOST_GROUPS:
        raise ValueError(f"one to {MOST_GROUPS} groups of columns, got {len(groups)}")
    whole = frozenset(groups)
    parts = [frozenset(part) for size in range(len(groups) + 1) for part in combinations(groups, size)]

    def weighed(fold: Halves | None = None) -> dict[Set, tuple[int, Floats]]:
        ratios = {part: _ratios(reference, current, groups, part, is_category, seed=seed, fold=fold) for part in parts}
        weights: dict[Set, tuple[int, Floats]] = {}
        for part in parts:
            weights[part] = (0, ratios[part][0])
            # current rows, back to what the reference was in all but `part`: the whole ratio undone, that of `part` kept
            weights[part | {CONCEPT}] = (1, _normal(ratios[part][1] / ratios[whole][1]))
        return weights

    def shared(weights: Mapping[Set, tuple[int, Floats]], counts: Sequence[Floats]) -> dict[Set, Floats]:
        return {key: _means(losses[side], one, counts[side]) for key, (side, one) in weights.items()}

    weights = weighed()
    values = shared(weights, [_counts(len(side), seed=seed + at) for at, side in enumerate(losses)])
    causes = [*groups, CONCEPT]
    shapley = {cause: _shapley(cause, causes, values) for cause in causes}
    pairs: dict[str, list[tuple[Floats, Floats]]] = {cause: [] for cause in causes}
    for number in range(HALVINGS):
        fold = halves(reference, current, seed=seed + 1 + number)
        both = np.stack([fold == 0, fold == 1], axis=1).astype(np.float64)
        halved = shared(weighed(fold), (both[: len(reference)], both[len(reference) :]))
        for cause in causes:
            first, second = _shapley(cause, causes, halved)
            pairs[cause].append((first, second))
    errors = {cause: float(half_sample_error(found)) for cause, found in pairs.items()}
    change = values[frozenset(causes)] - values[frozenset()]
    low, high = _interval(change)
    is_change = low > 0 or high < 0
    found = []
    for cause in causes:
        ours = shapley[cause]
        columns = [] if cause == CONCEPT else [names[place] for place in groups[cause]]
        at_least, at_most = _widened(ours, errors[cause])
        share = float(ours[0] / change[0]) if is_change else None
        found.append(
            Contribution(cause=cause, columns=columns, value=float(ours[0]), low=at_least, high=at_most, share=share)
        )
    worth = min(effective_rows(one) for _, one in weights.values())
    return Attribution(
        before=float(values[frozenset()][0]),
        after=float(values[frozenset(causes)][0]),
        change=float(change[0]),
        low=low,
        high=high,
        causes=sorted(found, key=lambda one: -abs(one.value)),
        effective_rows=worth,
        is_sound=worth >= LEAST_EFFECTIVE,
    )


def grouped_columns(
    names: Sequence[str], strengths: Sequence[float], *, most: int = MOST_GROUPS
) -> dict[str, list[int]]:
    """Return groups for `attribute`: the columns that moved most by themselves, one each, and all others together.

    >>> grouped_columns(["a", "b", "c"], [0.1, 0.9, 0.2], most=2)
    {'b': [1], 'other inputs': [0, 2]}
    """
    order = sorted(range(len(names)), key=lambda place: -strengths[place])
    alone = order if len(order) <= most else order[: most - 1]
    groups = {names[place]: [place] for place in alone}
    others = sorted(set(order) - set(alone))
    return groups | ({"other inputs": others} if others else {})


def strengths_of(reference: Floats, current: Floats, is_category: npt.NDArray[np.bool_]) -> Floats:
    """Return how far each column moved by itself, in [0, 1]: the distance of distribution functions, for categories the total variation."""
    found = np.zeros(reference.shape[1])
    for column in range(reference.shape[1]):
        ours, theirs = (np.nan_to_num(side[:, column], nan=-1e300) for side in (reference, current))
        values = np.unique(np.concatenate([ours, theirs]))
        shares = [
            np.bincount(np.searchsorted(values, side), minlength=len(values)) / len(side) for side in (ours, theirs)
        ]
        gaps = shares[0] - shares[1]
        found[column] = np.abs(gaps).sum() / 2 if is_category[column] else np.abs(np.cumsum(gaps)).max()
    return found


def _ratios(
    reference: Floats,
    current: Floats,
    groups: Mapping[str, Sequence[int]],
    part: Set,
    is_category: npt.NDArray[np.bool_],
    *,
    seed: int,
    fold: Halves | None = None,
) -> tuple[Floats, Floats]:
    """Return the density ratio, current to reference, of the columns in `part`, at the rows of each side, of mean 1 on the reference."""
    if not part:
        return np.ones(len(reference)), np.ones(len(current))
    columns = sorted({place for name in part for place in groups[name]})
    apart: Apart = tell_apart(
        reference[:, columns],
        current[:, columns],
        is_category=is_category[columns],
        seed=seed,
        with_shares=False,
        fold=fold,
    )
    ours, theirs = (_odds(p) * len(reference) / len(current) for p in (apart.reference, apart.current))
    mean = float(ours.mean())
    return ours / mean, theirs / mean


def _odds(p: Floats) -> Floats:
    odds = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(np.clip(odds / (1 - odds), 1 / MOST_WEIGHT, MOST_WEIGHT))


def _normal(weights: Floats) -> Floats:
    return np.asarray(weights / weights.mean())


def _counts(rows: int, *, seed: int) -> Floats:
    """Return how often each row counts in the sample itself (first column) and in each bootstrap draw, shape (rows, 1 + draws)."""
    rng = np.random.default_rng(seed)
    drawn = [np.bincount(rng.integers(0, rows, rows), minlength=rows) for _ in range(_DRAWS)]
    return np.stack([np.ones(rows), *drawn], axis=1).astype(np.float64)


def _means(losses: Floats, weights: Floats, counts: Floats) -> Floats:
    return np.asarray(((losses * weights) @ counts) / (weights @ counts))


def _shapley(cause: str, causes: Sequence[str], values: Mapping[Set, Floats]) -> Floats:
    others = [one for one in causes if one != cause]
    total = np.zeros_like(values[frozenset()])
    for size in range(len(causes)):
        weight = math.factorial(size) * math.factorial(len(causes) - size - 1) / math.factorial(len(causes))
        for part in combinations(others, size):
            known = frozenset(part)
            total += weight * (values[known | {cause}] - values[known])
    return total


def _widened(values: Floats, error: float) -> tuple[float, float]:
    """Return the bootstrap interval, as much wider as `error` is above the bootstrap's own standard error."""
    low, high = _interval(values)
    wider = max(1.0, error / max(float(values[1:].std()), 1e-300))
    return float(values[0]) - wider * (float(values[0]) - low), float(values[0]) + wider * (high - float(values[0]))


def _interval(values: Floats) -> tuple[float, float]:
    return float(np.quantile(values[1:], 0.025)), float(np.quantile(values[1:], 0.975))
