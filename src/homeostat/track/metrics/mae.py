"""Mean absolute error; lower is better."""

from homeostat.core.columns import Task
from homeostat.track.losses import loss_per_row
from homeostat.track.metric import Array, Metric, mean
from homeostat.track.predictions import Predictions


def _compute(y: Array, predictions: Predictions) -> float:
    return mean(loss_per_row(y, predictions, "mae"))


METRIC = Metric(name="mae", tasks=(Task.REGRESSION,), higher_is_better=False, needs_scores=False, compute=_compute)
