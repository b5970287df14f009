import math

import pytest
from sklearn.metrics import f1_score

from homeostat.track.metrics.f1 import METRIC


@pytest.mark.parametrize("classes", [[False, True], ["a", "b", "c", "d"]])
def test_agrees_with_sklearn(classified, classes):
    y, predictions = classified(classes)
    assert METRIC.compute(y, predictions) == pytest.approx(f1_score(y, predictions.labels, average="macro"), abs=1e-12)


def test_a_class_that_never_occurs_does_not_matter(classified):
    y, predictions = classified(["a", "b", "c"])
    rows = (y != "c") & (predictions.labels != "c")
    kept = predictions.take(rows)
    assert METRIC.compute(y[rows], kept) == pytest.approx(f1_score(y[rows], kept.labels, average="macro"), abs=1e-12)


def test_is_not_defined_without_rows(classified):
    y, predictions = classified(["a", "b"])
    assert math.isnan(METRIC.compute(y[:0], predictions.take(slice(0, 0))))
