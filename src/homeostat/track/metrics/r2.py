"""Share of the target's variance that the predictions explain: 1 is perfect, 0 is as good as the mean; higher is better."""

import numpy as np

from homeostat.core.columns import Task
from homeostat.track.metric import Array, Metric, numbers
from homeostat.track.predictions import Predictions


def _compute(y: Array, predictions: Predictions) -> float:
    truth = numbers(y)
    if len(truth) < 2 or np.ptp(truth) == 0.0:
        return float("nan")  # a constant target has no variance to explain
    left = np.square(truth - numbers(predictions.labels)).sum()
    return float(1.0 - left / np.square(truth - truth.mean()).sum())


METRIC = Metric(name="r2", tasks=(Task.REGRESSION,), higher_is_better=True, needs_scores=False, compute=_compute)
