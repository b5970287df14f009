from types import SimpleNamespace

import numpy as np
import pytest

from homeostat.core.columns import Task
from homeostat.core.errors import InvalidInput
from homeostat.train.answers import ask

X = np.zeros((3, 2))


def _model(said, scores=None, **more):
    methods = {"predict": lambda _: said}
    if scores is not None:
        methods["predict_proba"] = lambda _: scores
    return SimpleNamespace(**methods, **more)


def test_scores_are_put_in_the_order_of_the_signature(signature):
    model = _model(["yes"] * 3, [[0.9, 0.1]] * 3, classes_=["yes", "no"])
    assert ask(model, X, signature()).scores.tolist() == [[0.1, 0.9]] * 3


def test_a_class_that_training_rows_lacked_gets_probability_zero(signature):
    model = _model(["a"] * 3, [[0.6, 0.4]] * 3, classes_=np.asarray(["a", "c"]))
    assert ask(model, X, signature(Task.MULTICLASS)).scores.tolist() == [[0.6, 0.0, 0.4]] * 3


@pytest.mark.parametrize("scores", [[0.2, 0.7, 0.5], [[0.2], [0.7], [0.5]]])
def test_one_column_is_the_probability_of_the_positive_class(signature, scores):
    answer = ask(_model(["no", "yes", "yes"], scores), X, signature())
    assert answer.scores[:, 1].tolist() == [0.2, 0.7, 0.5]
    assert answer.labels.tolist() == ["no", "yes", "yes"]


def test_fractions_from_predict_alone_are_probabilities_in_binary_tasks(signature):
    answer = ask(_model(np.asarray([0.2, 0.5, 0.9])), X, signature())
    assert answer.labels.tolist() == ["no", "yes", "yes"]
    assert answer.scores[:, 1].tolist() == [0.2, 0.5, 0.9]


def test_labels_come_from_predict_even_where_scores_say_otherwise(signature):
    assert ask(_model(["yes"] * 3, [[0.9, 0.1]] * 3), X, signature()).labels.tolist() == ["yes"] * 3


def test_a_model_whose_labels_follow_its_scores_is_asked_once(signature):
    model = SimpleNamespace(predict_proba=lambda _: [[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]], labels_follow_scores=True)
    assert ask(model, X, signature()).labels.tolist() == ["no", "yes", "yes"]


def test_a_column_of_numbers_is_a_vector_in_regression(signature):
    assert ask(_model([[1], [2], [3]]), X, signature(Task.REGRESSION)).labels.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("task", "said", "scores", "says"),
    [
        (Task.BINARY, None, None, "predict answered None"),
        (Task.BINARY, ["yes"], None, r"shape \(1,\) for 3 rows"),
        (Task.BINARY, ["yes", "no", "maybe"], None, "'maybe', which is none of the classes"),
        (Task.BINARY, ["yes"] * 3, [[0.2, 0.3, 0.5]] * 3, "3 columns for the 2 classes"),
        (Task.BINARY, ["yes"] * 3, [[0.5, 0.5]], r"predict_proba answered an array of shape \(1, 2\)"),
        (Task.REGRESSION, ["much"] * 3, None, "not numbers"),
        (Task.REGRESSION, [[1.0], [1.0, 2.0], [3.0]], None, "no array"),
        (Task.REGRESSION, 3.0, None, r"shape \(\)"),
    ],
)
def test_what_is_no_answer_is_refused_by_name(signature, task, said, scores, says):
    with pytest.raises(InvalidInput, match=says):
        ask(_model(said, scores), X, signature(task))


@pytest.mark.parametrize("task", list(Task))
def test_no_rows_get_no_answers_and_the_model_is_not_asked(signature, task):
    answer = ask(_model(None), X[:0], signature(task))
    assert len(answer) == 0
    assert (answer.scores is None) == (task is Task.REGRESSION)


def test_a_column_of_fractions_for_each_class_is_probabilities(signature):
    answer = ask(_model([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]]), X, signature())
    assert answer.labels.tolist() == ["no", "yes", "yes"]
    assert answer.scores.tolist() == [[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]]
    with pytest.raises(InvalidInput, match=r"shape \(3, 2\)"):
        ask(_model([[2.0, 0.1], [0.5, 0.5], [0.2, 0.8]]), X, signature())
