"""Linear models: a coefficient times the distance to the background's mean is the Shapley value (features taken as independent)."""

import numpy as np

from homeostat.serve.explain.contributions import Contributions, Matrix
from homeostat.serve.explain.outputs import held
from homeostat.serve.explain.stages import Stages


def explained(stages: Stages, features: Matrix, background: Matrix, columns: int) -> Contributions | None:
    """Return the contributions, None where the estimator is not linear in what it answers."""
    estimator = stages.estimator
    if not hasattr(estimator, "coef_") or not hasattr(estimator, "intercept_"):
        return None
    try:
        weights = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
        intercept = np.atleast_1d(np.asarray(estimator.intercept_, dtype=np.float64))
    except (TypeError, ValueError):
        return None
    if weights.ndim != 2 or weights.shape[1] != features.shape[1] or len(intercept) not in (1, len(weights)):
        return None
    mean = background.mean(axis=0)
    if not np.isfinite(mean).all():
        return None
    values = (features - mean)[:, :, None] * weights.T[None, :, :]
    return held("linear", stages, features, values=values, base=weights @ mean + intercept, columns=columns)
