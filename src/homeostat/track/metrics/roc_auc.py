"""Area under the ROC curve; higher is better, 0.5 is a coin.

Binary: the probability that a positive row scores above a negative one, ties counting half (the Mann-Whitney statistic; Hanley & McNeil
1982, "The meaning and use of the area under a receiver operating characteristic (ROC) curve"). More classes: the mean of each class
against the rest, over the classes that occur (scikit-learn's `multi_class="ovr", average="macro"`).
"""

import numpy as np
import numpy.typing as npt

from homeostat.track.metric import CLASSIFICATION, Array, Metric, class_indices
from homeostat.track.predictions import Predictions


def _area(is_positive: npt.NDArray[np.bool_], score: npt.NDArray[np.float64]) -> float:
    positives = int(is_positive.sum())
    negatives = len(is_positive) - positives
    if not positives or not negatives or not np.isfinite(score).all():
        return float("nan")
    _, group, size = np.unique(score, return_inverse=True, return_counts=True)
    middle_rank = np.cumsum(size) - (size - 1) / 2.0
    ranks = float(middle_rank[group][is_positive].sum())
    return (ranks - positives * (positives + 1) / 2.0) / (positives * negatives)


def _compute(y: Array, predictions: Predictions) -> float:
    scores = predictions.scores
    if scores is None:
        return float("nan")
    truth = class_indices(y, predictions.classes)
    if len(predictions.classes) == 2:
        return _area(truth == 1, scores[:, 1])
    present = [index for index in range(len(predictions.classes)) if (truth == index).any()]
    areas = [_area(truth == index, scores[:, index]) for index in present]
    return float(np.mean(areas)) if areas else float("nan")


METRIC = Metric(name="roc_auc", tasks=CLASSIFICATION, higher_is_better=True, needs_scores=True, compute=_compute)
