"""Share of right rows within each true class, averaged over classes with equal weight; higher is better."""

import numpy as np

from homeostat.track.metric import CLASSIFICATION, Array, Metric, codes
from homeostat.track.predictions import Predictions


def _compute(y: Array, predictions: Predictions) -> float:
    if not len(y):
        return float("nan")
    truth, said, classes = codes(y, predictions.labels)
    rows = np.bincount(truth, minlength=classes)
    hits = np.bincount(truth[truth == said], minlength=classes)
    return float(np.mean(hits[rows > 0] / rows[rows > 0]))


METRIC = Metric(
    name="balanced_accuracy", tasks=CLASSIFICATION, higher_is_better=True, needs_scores=False, compute=_compute
)
