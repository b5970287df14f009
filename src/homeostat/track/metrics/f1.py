"""F1 score, averaged over classes with equal weight (macro); higher is better.

The classes are those that occur among true or predicted values, as in scikit-learn's `f1_score(average="macro")`.
"""

import numpy as np

from homeostat.track.metric import CLASSIFICATION, Array, Metric, codes
from homeostat.track.predictions import Predictions


def _compute(y: Array, predictions: Predictions) -> float:
    if not len(y):
        return float("nan")
    truth, said, classes = codes(y, predictions.labels)
    hits = np.bincount(truth[truth == said], minlength=classes)
    occurrences = np.bincount(truth, minlength=classes) + np.bincount(said, minlength=classes)
    return float(np.mean(2.0 * hits / occurrences))


METRIC = Metric(name="f1", tasks=CLASSIFICATION, higher_is_better=True, needs_scores=False, compute=_compute)
