import math

import numpy as np
import pytest
from sklearn.metrics import root_mean_squared_error

from homeostat.track.metrics.rmse import METRIC
from homeostat.track.predictions import Predictions


def test_agrees_with_sklearn(regressed):
    y, predictions = regressed()
    assert METRIC.compute(y, predictions) == pytest.approx(root_mean_squared_error(y, predictions.labels), abs=1e-12)


def test_is_not_defined_without_rows_or_with_an_answer_that_is_not_a_number():
    nothing = np.empty(0)
    assert math.isnan(METRIC.compute(nothing, Predictions(labels=nothing)))
    broken = Predictions(labels=np.asarray([1.0, np.nan, 2.0]))
    assert math.isnan(METRIC.compute(np.asarray([1.0, 2.0, 3.0]), broken))
