"""Mean squared error of the probabilities (halved over two classes, as for one probability); lower is better."""

from homeostat.track.losses import loss_per_row
from homeostat.track.metric import CLASSIFICATION, Array, Metric, mean
from homeostat.track.predictions import Predictions


def _compute(y: Array, predictions: Predictions) -> float:
    return mean(loss_per_row(y, predictions, "brier"))


METRIC = Metric(name="brier", tasks=CLASSIFICATION, higher_is_better=False, needs_scores=True, compute=_compute)
