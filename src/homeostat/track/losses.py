"""The loss of each row, for tests that compare two models row by row. Lower is better in every one."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from homeostat.core.errors import InvalidInput, NotFound, near
from homeostat.track.metric import Array, class_indices, numbers
from homeostat.track.predictions import Predictions

Rows = npt.NDArray[np.float64]

# The least probability that log loss believes, so that one sure and wrong row does not make the mean infinite.
LEAST_PROBABILITY = float(np.finfo(np.float64).eps)


def loss_per_row(y: Array, predictions: Predictions, metric: str) -> Rows:
    """Return the loss of each row, shape (n_rows,).

    The mean over rows is the metric itself for `log_loss`, `brier` and `mae`; for `accuracy` it is the share of errors, for `rmse` the
    mean squared error. A true class that the model does not know counts as one to which it gave probability 0.
    Raises NotFound for a metric that is not a mean over rows (`roc_auc`, `f1`), InvalidInput where scores are needed and absent.
    """
    if metric not in LOSSES:
        raise NotFound(f"metric '{metric}' has no loss per row", hint=near(metric, LOSSES))
    if len(y) != len(predictions):
        raise InvalidInput(
            f"{len(predictions)} predictions for {len(y)} true values", hint="give one prediction for each true value"
        )
    return LOSSES[metric](y, predictions)


def _scores(predictions: Predictions, metric: str) -> Rows:
    if predictions.scores is None:
        raise InvalidInput(
            f"{metric} needs probabilities and the model gives none",
            hint="return a model with predict_proba, or use accuracy",
        )
    return predictions.scores


def _log_loss(y: Array, predictions: Predictions) -> Rows:
    scores = _scores(predictions, "log_loss")
    truth = class_indices(y, predictions.classes)
    given = np.where(truth >= 0, scores[np.arange(len(truth)), truth], 0.0)
    return np.asarray(-np.log(np.clip(given, LEAST_PROBABILITY, 1.0)))


def _brier(y: Array, predictions: Predictions) -> Rows:
    scores = _scores(predictions, "brier")
    truth = class_indices(y, predictions.classes)
    given = np.where(truth >= 0, scores[np.arange(len(truth)), truth], 0.0)
    # sum over classes of (score - [is true])^2, without building the matrix of truths
    total = np.einsum("ij,ij->i", scores, scores) - 2.0 * given + 1.0
    return np.asarray(total / 2.0 if len(predictions.classes) == 2 else total)


def _error(y: Array, predictions: Predictions) -> Rows:
    pairs = zip(y.tolist(), predictions.labels.tolist(), strict=True)
    return np.fromiter((truth != label for truth, label in pairs), dtype=np.float64, count=len(y))


def _absolute(y: Array, predictions: Predictions) -> Rows:
    return np.abs(numbers(y) - numbers(predictions.labels))


def _squared(y: Array, predictions: Predictions) -> Rows:
    return np.square(numbers(y) - numbers(predictions.labels))


LOSSES: dict[str, Callable[[Array, Predictions], Rows]] = {
    "log_loss": _log_loss,
    "brier": _brier,
    "accuracy": _error,
    "mae": _absolute,
    "rmse": _squared,
}
