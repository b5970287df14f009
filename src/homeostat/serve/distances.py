"""How far a version's answers lie from the champion's on the same rows, and how sure that is. Pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Task


@dataclass(frozen=True, slots=True, eq=False)
class Both:
    """The scores of both versions, shape (n_pairs, n_classes)."""

    own: npt.NDArray[Any]
    champions: npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distances:
    """`disagreement`: the mean absolute difference over rows; `shift`: the mean difference, of regressions and of two classes only.

    Both in standard deviations of the champion's answers over the same rows (shares of rows where there are labels alone). The variances
    are of the mean times the number of requests, robust to rows of one request that resemble each other; None below two requests.
    """

    requests: int = 0
    disagreement: float | None = None
    disagreement_variance: float | None = None
    shift: float | None = None
    shift_variance: float | None = None


def distances_of(pairs: pl.DataFrame, task: Task) -> Distances:
    """Return the distances over rows that both versions evaluated: columns of the record, the champion's with the suffix `_champion`."""
    if pairs.is_empty():
        return Distances()
    ids = pairs["request_id"].to_numpy()
    requests = len(np.unique(ids))
    both = scores_of(pairs)
    if task is Task.REGRESSION:
        both = Both(
            *(pairs[name].cast(pl.Float64).to_numpy()[:, None] for name in ("prediction", "prediction_champion"))
        )
    if both is None:
        other = (pairs["prediction"] != pairs["prediction_champion"]).to_numpy().astype(np.float64)
        return Distances(
            requests=requests,
            disagreement=int(other.sum()) / len(other),
            disagreement_variance=clustered_variance(other, ids),
        )
    apart = both.own - both.champions
    distance = np.abs(apart).sum(axis=1)
    spread = float(both.champions.std(axis=0).sum())
    if spread == 0.0:
        # a champion that always says the same has no unit to measure by
        same = float(distance.max()) == 0.0
        return Distances(
            requests=requests,
            disagreement=0.0 if same else float("inf"),
            disagreement_variance=0.0 if requests > 1 else None,
        )
    unit = float(both.champions[:, -1].std())
    is_signed = unit > 0.0 and (task is Task.REGRESSION or apart.shape[1] == 2)
    signed = apart[:, -1] / unit if is_signed else None
    return Distances(
        requests=requests,
        disagreement=float(distance.mean()) / spread,
        disagreement_variance=clustered_variance(distance / spread, ids),
        shift=None if signed is None else float(signed.mean()),
        shift_variance=None if signed is None else clustered_variance(signed, ids),
    )


def scores_of(pairs: pl.DataFrame) -> Both | None:
    """Return the scores of both; None where a row has none or the versions do not have the same classes."""
    if pairs.is_empty() or pairs["scores"].null_count() or pairs["scores_champion"].null_count():
        return None
    lengths = {*pairs["scores"].list.len(), *pairs["scores_champion"].list.len()}
    if len(lengths) != 1:
        return None
    return Both(np.asarray(pairs["scores"].to_list()), np.asarray(pairs["scores_champion"].to_list()))


def clustered_variance(values: npt.NDArray[np.float64], clusters: npt.NDArray[Any]) -> float | None:
    """Return the variance of the mean of `values`, robust to likeness within clusters, times the number of clusters; None below two.

    The sandwich estimator of K.-Y. Liang and S. L. Zeger (1986), "Longitudinal data analysis using generalized linear models",
    Biometrika 73, for a mean: residuals are summed per cluster before they are squared. With clusters of one it is the plain variance.

    >>> clustered_variance(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 2]))
    1.0
    """
    _, of = np.unique(clusters, return_inverse=True)
    n, count = len(values), int(of.max()) + 1 if len(values) else 0
    if count < 2:
        return None
    sums = np.bincount(of, weights=values - values.mean(), minlength=count)
    return float((sums**2).sum() * count**2 / (n**2 * (count - 1)))
