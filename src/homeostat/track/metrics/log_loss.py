"""Mean negative log probability of the true class, in nats; lower is better."""

from homeostat.track.losses import loss_per_row
from homeostat.track.metric import CLASSIFICATION, Array, Metric, mean
from homeostat.track.predictions import Predictions


def _compute(y: Array, predictions: Predictions) -> float:
    return mean(loss_per_row(y, predictions, "log_loss"))


METRIC = Metric(name="log_loss", tasks=CLASSIFICATION, higher_is_better=False, needs_scores=True, compute=_compute)
