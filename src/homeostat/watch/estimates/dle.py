"""Direct loss estimation: a second model that has learned, on labelled rows, how far off the answers are for which inputs.

NannyML 2022, "Direct Loss Estimation". Boosted trees of the loss of each reference row on its inputs and the answer; the mean of what they
say of the current rows is the estimate. Right under covariate shift within what the reference has seen; blind to a change of the concept.
"""

import math
from typing import Any

import numpy as np

from homeostat.core.columns import Task
from homeostat.watch.estimator import Estimator, Guess, Question
from homeostat.watch.sample import Floats

LEAST_ROWS = 200
_LOSS = {"mae": np.abs, "rmse": np.square}


def estimate(question: Question) -> Guess | None:
    """Return the expected `mae` or `rmse` of the current rows; None below 200 labelled reference rows.

    `spread` is that of the mean of as many losses as there are current rows, as the reference's losses stray around what the model says.
    """
    known, current = question.reference, question.current
    if known.truth is None or len(known) < LEAST_ROWS or not len(current):
        return None
    losses = _LOSS[question.metric](known.truth.astype(np.float64) - known.said.astype(np.float64))
    x, is_category = _with_answer(known.inputs, known.said.astype(np.float64)), np.append(question.is_category, False)
    level, rest = _fitted_level(x, losses, _with_answer(current.inputs, current.said.astype(np.float64)), is_category)
    spread = rest / math.sqrt(len(current))
    if question.metric == "rmse":
        root = math.sqrt(level)
        return Guess(value=root, spread=spread / (2 * root) if root else 0.0)
    return Guess(value=level, spread=spread)


def _fitted_level(
    x: Floats, losses: Floats, current: Floats, is_category: "np.typing.NDArray[np.bool_]"
) -> tuple[float, float]:
    """Return the mean loss that is expected of the current rows, >= 0, and the standard deviation of reference losses around the model.

    Two models, each on half of the rows: what each says of the other half is unbiased, and takes the shrinkage of trees off the estimate.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    half = np.random.default_rng(0).permutation(len(x)) % 2 == 0
    said, out = [], np.empty_like(losses)
    with threadpool_limits(1):
        for part in (half, ~half):
            model = _model(is_category).fit(x[part], losses[part])
            out[~part] = model.predict(x[~part])
            said.append(model.predict(current))
    level = float(np.mean(said)) + float(np.mean(losses - out))
    return max(0.0, level), float(np.std(losses - out))


def _model(is_category: "np.typing.NDArray[np.bool_]") -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=60,
        max_leaf_nodes=15,
        min_samples_leaf=20,
        l2_regularization=1.0,
        categorical_features=is_category if is_category.any() else None,
        early_stopping=False,
        random_state=0,
    )


def _with_answer(inputs: Floats, said: Floats) -> Floats:
    return np.concatenate([inputs, said[:, None]], axis=1)


ESTIMATOR = Estimator(
    name="dle", tasks=frozenset({Task.REGRESSION}), metrics=frozenset(_LOSS), weighs=False, estimate=estimate
)
