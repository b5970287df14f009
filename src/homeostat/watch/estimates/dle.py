"""Direct loss estimation: a second model that has learned, on labelled rows, how far off the answers are for which inputs.

NannyML 2022, "Direct Loss Estimation". Boosted trees of the loss of each reference row on its inputs and the answer; the mean of what they
say of the current rows is the estimate. Right under covariate shift within what the reference has seen; blind to a change of the concept.
"""

import math
from typing import Any

import numpy as np

from homeostat.core.columns import Task
from homeostat.watch.calibrating import calibration_error
from homeostat.watch.estimator import Estimator, Guess, Question, Rows
from homeostat.watch.sample import Floats

LEAST_ROWS = 200
_LOSS = {"mae": np.abs, "rmse": np.square}


def estimate(question: Question) -> Guess | None:
    """Return the expected `mae` or `rmse` of the current rows; None below 200 labelled reference rows.

    `spread` is that of the difference of two means, of as many losses as there are current rows and as there are reference rows (which the level was
    learned from), as the reference's losses stray around what the model says.
    """
    learned = _learned(question)
    if learned is None:
        return None
    expected, rest = learned
    level, spread = max(0.0, float(expected.mean())), rest * math.sqrt(1 / len(expected) + 1 / len(question.reference))
    if question.metric == "rmse":
        root = math.sqrt(level)
        return Guess(value=root, spread=spread / (2 * root) if root else 0.0)
    return Guess(value=level, spread=spread)


def calibration(question: Question) -> float | None:
    """Return the calibration error of the expected losses of current rows whose labels are known; None below 200 labelled reference rows.

    Rows are put into bins of equally many by the loss that was expected of them, as scores are. In units of two standard deviations of the losses
    around what was expected: what comes by chance is then that of probabilities, which stray by a half at most, and so are the limits of the light.
    """
    truth, learned = question.current.truth, _learned(question)
    if truth is None or learned is None or not learned[1] > 0:
        return None
    expected, rest = learned
    return calibration_error(expected, _losses(question.current, question.metric)) / (2 * rest)


def _learned(question: Question) -> tuple[Floats, float] | None:
    """Return the loss that is expected of each current row, and the standard deviation of reference losses around the model.

    Two models, each on half of the rows: what each says of the other half is unbiased, and takes the shrinkage of trees off the estimate.
    """
    known, current = question.reference, question.current
    if known.truth is None or len(known) < LEAST_ROWS or not len(current):
        return None
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    losses, x, asked = _losses(known, question.metric), _with_answer(known), _with_answer(current)
    is_category = np.append(question.is_category, False)
    half = np.random.default_rng(0).permutation(len(x)) % 2 == 0
    said, out = [], np.empty_like(losses)
    with threadpool_limits(1):
        for part in (half, ~half):
            model = _model(is_category).fit(x[part], losses[part])
            out[~part] = model.predict(x[~part])
            said.append(model.predict(asked))
    return np.mean(said, axis=0) + float(np.mean(losses - out)), float(np.std(losses - out))


def _losses(rows: Rows, metric: str) -> Floats:
    assert rows.truth is not None
    return np.asarray(_LOSS[metric](rows.truth.astype(np.float64) - rows.said.astype(np.float64)))


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


def _with_answer(rows: Rows) -> Floats:
    return np.concatenate([rows.inputs, rows.said.astype(np.float64)[:, None]], axis=1)


ESTIMATOR = Estimator(
    name="dle",
    tasks=frozenset({Task.REGRESSION}),
    metrics=frozenset(_LOSS),
    weighs=False,
    estimate=estimate,
    calibration=calibration,
)
