"""Root of the mean squared error; lower is better."""

import math

from homeostat.core.columns import Task
from homeostat.track.losses import loss_per_row
from homeostat.track.metric import Array, Metric, mean
from homeostat.track.predictions import Predictions


def _compute(y: Array, predictions: Predictions) -> float:
    return math.sqrt(mean(loss_per_row(y, predictions, "rmse")))


METRIC = Metric(name="rmse", tasks=(Task.REGRESSION,), higher_is_better=False, needs_scores=False, compute=_compute)
