from pathlib import Path

import numpy as np
import pytest

from homeostat.core.columns import Task
from homeostat.core.errors import InvalidInput, NotFound
from homeostat.track import metrics
from homeostat.track.predictions import Predictions
from homeostat.track.usual import defaults, primary


def test_every_metric_has_a_test_file():
    here = Path(__file__).parent
    assert [name for name in metrics.METRICS if not (here / f"test_{name}.py").exists()] == []
    assert len(metrics.METRICS) >= 9


def test_an_unknown_name_is_refused_with_a_near_one():
    with pytest.raises(NotFound) as raised:
        metrics.metric("roc_auk")
    assert raised.value.hint == "did you mean 'roc_auc'?"


@pytest.mark.parametrize("task", list(Task))
def test_the_defaults_of_a_task_fit_it_and_start_with_the_primary(task):
    names = defaults(task)
    assert names[0] == primary(task)
    assert all(task in metrics.metric(name).tasks for name in names)


def test_metrics_that_need_scores_are_left_out_without_them():
    y = np.asarray(["a", "b"])
    predictions = Predictions(labels=np.asarray(["a", "a"]), classes=("a", "b"))
    assert metrics.compute(defaults(Task.BINARY), y, predictions) == {"accuracy": 0.5}


def test_undefined_metrics_are_left_out():
    y = np.asarray(["a", "a"])
    predictions = Predictions(labels=y, scores=np.asarray([[0.9, 0.1]] * 2), classes=("a", "b"))
    assert set(metrics.compute(["roc_auc", "log_loss"], y, predictions)) == {"log_loss"}


def test_a_wrong_number_of_predictions_is_refused():
    with pytest.raises(InvalidInput, match="1 predictions for 2 true values"):
        metrics.compute(["mae"], np.zeros(2), Predictions(labels=np.zeros(1)))
