"""Share of rows whose class is right; higher is better."""

from homeostat.track.losses import loss_per_row
from homeostat.track.metric import CLASSIFICATION, Array, Metric, mean
from homeostat.track.predictions import Predictions


def _compute(y: Array, predictions: Predictions) -> float:
    return 1.0 - mean(loss_per_row(y, predictions, "accuracy"))


METRIC = Metric(name="accuracy", tasks=CLASSIFICATION, higher_is_better=True, needs_scores=False, compute=_compute)
