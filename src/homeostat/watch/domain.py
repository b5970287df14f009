"""Telling two samples apart: a classifier that says of each row whether it is of the current one. Pure.

How well it does, on rows that it has not learned from, is a measure of drift in all columns together (D. Lopez-Paz and M. Oquab 2017,
"Revisiting Classifier Two-Sample Tests"). What it says of a row is the ratio of the two densities there, by which rows of the reference
can be weighed to look like the current ones (S. Bickel, M. Brückner and T. Scheffer 2009, "Discriminative Learning Under Covariate Shift").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from homeostat.watch.expected import expected_roc_auc
from homeostat.watch.sample import Floats

FOLDS = 3
MOST_ROWS = 20_000
MOST_WEIGHT = 50.0
LEAST_ROWS = 50
HALVINGS = 3  # refits from which the error of weights is told: a classifier for each half


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Apart:
    """What the classifier said of rows that it had not learned from: `reference` (n,) and `current` (m,), probabilities of being current.

    `auc`: 0.5 where the samples cannot be told apart. `shares` (n_columns,): how much of `auc` above 0.5 is lost when a column is shuffled.
    `fold` (n + m,): which rows were judged together, by what the others taught.
    """

    reference: Floats
    current: Floats
    auc: float
    shares: Floats
    fold: npt.NDArray[np.intp]


def tell_apart(
    reference: Floats,
    current: Floats,
    *,
    is_category: npt.NDArray[np.bool_],
    seed: int = 0,
    with_shares: bool = True,
    fold: npt.NDArray[np.intp] | None = None,
) -> Apart:
    """Return what a classifier makes of two samples of shapes (n, n_columns) and (m, n_columns); NaN is a value like any other.

    Boosted trees, three folds. Equal rows are in one fold where most rows are different: a row that is in both samples would be known by
    heart, and its other copy called wrong. `fold` (n + m,): other folds, from 0. Columns of categories hold codes from 0. Raises ValueError below 50 rows.
    """
    if min(len(reference), len(current)) < LEAST_ROWS:
        raise ValueError(f"{LEAST_ROWS} rows on each side are needed, got {len(reference)} and {len(current)}")
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):  # more threads than free cores wait for one another far longer than they work
        return _told_apart(reference, current, is_category, seed=seed, with_shares=with_shares, fold=fold)


def _told_apart(
    reference: Floats,
    current: Floats,
    is_category: npt.NDArray[np.bool_],
    *,
    seed: int,
    with_shares: bool,
    fold: npt.NDArray[np.intp] | None,
) -> Apart:
    x = np.concatenate([reference, current])
    is_current = np.repeat([0, 1], [len(reference), len(current)])
    fold = _folds(x, seed, FOLDS) if fold is None else fold
    said = np.empty(len(x))
    drops = np.zeros(x.shape[1])
    for number in range(int(fold.max()) + 1):
        out = fold == number
        if not out.any():
            continue
        model = _fitted(x[~out], is_current[~out], is_category, seed)
        said[out] = model.predict_proba(x[out])[:, 1]
        if with_shares:
            drops += _drops(model, x[out], is_current[out], seed) * out.mean()
    auc = expected_roc_auc(is_current.astype(np.float64), said)
    total = drops.sum()
    return Apart(
        reference=said[: len(reference)],
        current=said[len(reference) :],
        auc=auc,
        shares=drops / total if total > 0 else drops,
        fold=fold,
    )


def told_ahead(
    reference: Floats,
    current: Floats,
    *,
    is_category: npt.NDArray[np.bool_],
    learned: npt.NDArray[np.bool_],
    asked: npt.NDArray[np.bool_],
    seed: int = 0,
) -> Floats:
    """Return what a classifier that learned of some rows alone says of others, both masks of shape (n + m,)."""
    from threadpoolctl import threadpool_limits

    x = np.concatenate([reference, current])
    is_current = np.repeat([0, 1], [len(reference), len(current)])
    with threadpool_limits(1):
        said = _fitted(x[learned], is_current[learned], is_category, seed).predict_proba(x[asked])[:, 1]
    return np.asarray(said)


def density_ratios(apart: Apart) -> Floats:
    """Return how much each reference row counts among the current ones, of mean 1, shape (n,); no row counts more than 50 times its share."""
    p = np.clip(apart.reference, 1e-6, 1 - 1e-6)
    raw = np.minimum(p / (1 - p) * len(apart.reference) / len(apart.current), MOST_WEIGHT)
    return np.asarray(raw / raw.mean())


def effective_rows(weights: Floats) -> float:
    """Return how many rows of equal weight say as much as these (Kish 1965, "Survey Sampling").

    >>> effective_rows(np.array([1.0, 1.0, 0.0, 0.0]))
    2.0
    """
    square = float(np.sum(weights**2))
    return float(weights.sum()) ** 2 / square if square > 0 else 0.0


def at_most(rows: Floats, most: int, *, seed: int = 0) -> npt.NDArray[np.intp]:
    """Return the places of at most so many rows, drawn without order being changed."""
    if len(rows) <= most:
        return np.arange(len(rows))
    return np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))


def halves(reference: Floats, current: Floats, *, seed: int) -> npt.NDArray[np.intp]:
    """Return which half each row is in, 0 or 1, first those of the reference; equal rows are in one half, as in `tell_apart`."""
    return _folds(np.concatenate([reference, current]), seed, 2)


def half_sample_error(pairs: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Return the standard error of a statistic from its values on both halves of several random halvings.

    The halves of one halving are independent and each has twice the variance of the whole: so half their difference has that of the whole, whatever
    the statistic is biased by in smaller samples (P. J. McCarthy 1969, "Pseudo-Replication: Half Samples", Review of the International
    Statistical Institute 37).

    >>> half_sample_error([(np.array([1.0]), np.array([3.0])), (np.array([2.0]), np.array([2.0]))]).round(3).tolist()
    [0.707]
    """
    return np.asarray(np.sqrt(np.mean([((one - other) / 2) ** 2 for one, other in pairs], axis=0)))


def _folds(x: Floats, seed: int, folds: int) -> npt.NDArray[np.intp]:
    rng = np.random.default_rng(seed)
    _, place = np.unique(np.nan_to_num(x, nan=-1.2345e300), axis=0, return_inverse=True)
    groups = int(place.max()) + 1
    if groups > len(x) // 2:
        return np.asarray((rng.permutation(groups) % folds)[place.ravel()])
    return np.asarray(rng.permutation(len(x)) % folds)


def _fitted(x: Floats, y: npt.NDArray[Any], is_category: npt.NDArray[np.bool_], seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=60,
        max_leaf_nodes=15,
        min_samples_leaf=20,
        l2_regularization=1.0,
        categorical_features=is_category if is_category.any() else None,
        early_stopping=False,
        random_state=seed,
    )
    return model.fit(x, y)


def _drops(model: Any, x: Floats, y: npt.NDArray[Any], seed: int, *, most: int = 2_000) -> Floats:
    """Return how much the area falls when each column is shuffled, on at most 2,000 rows."""
    rng = np.random.default_rng(seed)
    kept = at_most(x, most, seed=seed)
    x, truth = x[kept], y[kept].astype(np.float64)
    whole = expected_roc_auc(truth, model.predict_proba(x)[:, 1])
    found = np.zeros(x.shape[1])
    for column in range(x.shape[1]):
        shuffled = x.copy()
        shuffled[:, column] = rng.permutation(shuffled[:, column])
        found[column] = max(0.0, whole - expected_roc_auc(truth, model.predict_proba(shuffled)[:, 1]))
    return np.nan_to_num(found)
