import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from homeostat.track.metrics.brier import METRIC


@pytest.mark.parametrize("classes", [["a", "b"], ["a", "b", "c"]])
def test_agrees_with_sklearn(classified, classes):
    y, predictions = classified(classes)
    truth = y == "b" if len(classes) == 2 else y
    scores = predictions.scores[:, 1] if len(classes) == 2 else predictions.scores
    wanted = brier_score_loss(truth, scores, **({} if len(classes) == 2 else {"labels": classes}))
    assert METRIC.compute(y, predictions) == pytest.approx(wanted, abs=1e-12)


def test_sure_and_wrong_is_one(sure_and_wrong):
    assert METRIC.compute(*sure_and_wrong) == pytest.approx(1.0)


def test_a_class_unknown_to_the_model_costs_as_much_as_probability_zero(sure_and_wrong):
    _, predictions = sure_and_wrong
    assert METRIC.compute(np.asarray(["z"]), predictions) == pytest.approx(1.0)
