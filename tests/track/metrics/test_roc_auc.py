import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from homeostat.track.metrics.roc_auc import METRIC
from homeostat.track.predictions import Predictions


@pytest.mark.parametrize("ties", [False, True])
def test_binary_agrees_with_sklearn_ties_included(classified, ties):
    y, predictions = classified(["no", "yes"], ties=ties)
    assert METRIC.compute(y, predictions) == pytest.approx(
        roc_auc_score(y == "yes", predictions.scores[:, 1]), abs=1e-12
    )


def test_multiclass_agrees_with_sklearn(classified):
    y, predictions = classified(["a", "b", "c"])
    wanted = roc_auc_score(y, predictions.scores, multi_class="ovr", average="macro", labels=["a", "b", "c"])
    assert METRIC.compute(y, predictions) == pytest.approx(wanted, abs=1e-12)


def test_is_not_defined_with_one_class_or_no_rows_or_scores_that_are_not_numbers(classified):
    y, predictions = classified([False, True])
    assert math.isnan(METRIC.compute(np.zeros(len(y), dtype=bool), predictions))
    assert math.isnan(METRIC.compute(y[:0], predictions.take(np.arange(0))))
    broken = Predictions(
        labels=predictions.labels, scores=np.full_like(predictions.scores, np.nan), classes=predictions.classes
    )
    assert math.isnan(METRIC.compute(y, broken))
