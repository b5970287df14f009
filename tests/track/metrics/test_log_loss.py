import numpy as np
import pytest
from sklearn.metrics import log_loss

from homeostat.track.metrics.log_loss import METRIC


@pytest.mark.parametrize("classes", [[False, True], [0, 1], ["a", "b", "c"]])
def test_agrees_with_sklearn(classified, classes):
    y, predictions = classified(classes)
    wanted = log_loss(y, predictions.scores, labels=classes)
    assert METRIC.compute(y, predictions) == pytest.approx(wanted, abs=1e-12)


def test_sure_and_wrong_is_very_bad_and_finite(sure_and_wrong):
    assert 30 < METRIC.compute(*sure_and_wrong) < 40


def test_a_class_unknown_to_the_model_counts_as_probability_zero(classified):
    _, predictions = classified(["a", "b"], rows=3)
    assert METRIC.compute(np.asarray(["z", "z", "z"]), predictions) > 30
