import numpy as np
import pytest

from homeostat.core.errors import InvalidInput, NotFound
from homeostat.track.losses import LOSSES, loss_per_row
from homeostat.track.metrics import metric
from homeostat.track.predictions import Predictions

Y = np.asarray(["a", "b", "b"])
SAID = Predictions(
    labels=np.asarray(["a", "a", "b"]),
    scores=np.asarray([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9]]),
    classes=("a", "b"),
)


@pytest.mark.parametrize("name", ["log_loss", "brier"])
def test_the_mean_over_rows_is_the_metric(name):
    assert loss_per_row(Y, SAID, name).mean() == pytest.approx(metric(name).compute(Y, SAID))


def test_values_row_by_row():
    assert loss_per_row(Y, SAID, "accuracy").tolist() == [0.0, 1.0, 0.0]
    assert loss_per_row(Y, SAID, "log_loss") == pytest.approx(-np.log([0.8, 0.4, 0.9]))
    assert loss_per_row(Y, SAID, "brier") == pytest.approx([0.04, 0.36, 0.01])
    numbers = Predictions(labels=np.asarray([1.0, 5.0]))
    assert loss_per_row(np.asarray([0.0, 2.0]), numbers, "mae").tolist() == [1.0, 3.0]
    assert loss_per_row(np.asarray([0.0, 2.0]), numbers, "rmse").tolist() == [1.0, 9.0]


def test_integers_and_booleans_are_compared_by_value():
    said = Predictions(labels=np.asarray([True, False]), classes=(False, True))
    assert loss_per_row(np.asarray([1, 1]), said, "accuracy").tolist() == [0.0, 1.0]


def test_a_metric_that_is_no_mean_over_rows_is_refused():
    with pytest.raises(NotFound, match="no loss per row"):
        loss_per_row(Y, SAID, "roc_auc")


@pytest.mark.parametrize("name", ["log_loss", "brier"])
def test_absent_probabilities_are_named(name):
    with pytest.raises(InvalidInput, match="needs probabilities"):
        loss_per_row(Y, Predictions(labels=Y, classes=("a", "b")), name)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_wrong_number_of_predictions_is_refused(name):
    with pytest.raises(InvalidInput, match="3 predictions for 2 true values"):
        loss_per_row(Y[:2], SAID, name)
