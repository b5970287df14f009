import json

import numpy as np
import pytest
from tests.watch.cases import KINDS, answers, reference, rows, truth

from homeostat.core.columns import Kind, Task
from homeostat.core.errors import InvalidInput
from homeostat.storage.sql.store import open_memory_store
from homeostat.track.predictions import Predictions
from homeostat.watch.reference import Reference, answer_columns, build_reference, keep_reference, kept_reference


def test_a_reference_survives_json_whole():
    made = reference()
    assert Reference.from_json(json.loads(json.dumps(made.to_json()))) == made
    assert made.metric == "log_loss"
    assert made.performance.value == pytest.approx(0.45, abs=0.1)
    assert made.signature.names == tuple(KINDS)
    assert made.signature.classes == ("no", "yes")


def test_it_is_kept_by_model_and_version():
    store = open_memory_store()
    made = reference(500)
    with store.write() as tx:
        keep_reference(tx, "churn", made)
    with store.read() as tx:
        assert kept_reference(tx, "churn", 1) == made
        assert kept_reference(tx, "churn", 2) is None
        assert kept_reference(tx, "other", 1) is None


def test_what_is_no_reference_is_refused():
    with pytest.raises(InvalidInput, match="not a reference"):
        Reference.from_json({"version": "one"})


def test_it_stays_small_whatever_the_rows():
    assert len(json.dumps(reference(30_000).to_json())) < 300_000


@pytest.mark.parametrize("what", ["column", "y", "predictions"])
def test_parts_that_disagree_are_refused(what):
    frame = rows(100, 0)
    y, predictions = truth(frame, 0), answers(frame)
    given = {
        "column": (frame.drop("x"), y, predictions),
        "y": (frame, y[:-1], predictions),
        "predictions": (frame, y, predictions.take(np.arange(99))),
    }[what]
    with pytest.raises(InvalidInput) as failure:
        build_reference(*given, kinds=KINDS, task=Task.BINARY, metric=None, version=1)
    assert failure.value.hint


def test_a_model_without_probabilities_is_watched_by_accuracy():
    frame = rows(300, 0)
    labels = Predictions(labels=answers(frame).labels, classes=("no", "yes"))
    made = build_reference(frame, truth(frame, 0), labels, kinds=KINDS, task=Task.BINARY, version=1)
    assert (made.metric, list(made.answers.columns)) == ("accuracy", ["prediction"])


def test_no_held_out_rows_leave_no_performance():
    made = reference(0)
    assert (made.rows, made.performance) == (0, None)
    assert Reference.from_json(made.to_json()) == made


def test_what_is_watched_of_answers_follows_the_task():
    numbers = answer_columns(Predictions(labels=np.array([1.0, 2.0])), Task.REGRESSION)
    assert [(name, kind) for name, (_, kind) in numbers.items()] == [("prediction", Kind.FLOAT)]
    scores = np.array([[0.2, 0.3, 0.5]])
    many = answer_columns(Predictions(labels=np.array([7]), scores=scores, classes=(5, 6, 7)), Task.MULTICLASS)
    assert {name: series.to_list() for name, (series, _) in many.items()} == {"score": [0.5], "prediction": ["7"]}


def test_held_out_rows_of_other_kinds_are_refused():
    frame = rows(100, 0)
    with pytest.raises(InvalidInput, match="not of the kinds"):
        build_reference(frame, truth(frame, 0), answers(frame), kinds={"c": Kind.FLOAT}, task=Task.BINARY, version=1)
