"""A stack answers as its members do, and leans on those that were right on rows none of them was trained on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.retrain.stack import newest_alone, numbers, of_numbers, of_probabilities, probabilities


def certain(truth, classes, sureness):
    answers = np.full((len(truth), classes), (1.0 - sureness) / (classes - 1))
    answers[np.arange(len(truth)), truth] = sureness
    return answers


@settings(deadline=None)  # the first call imports scipy
@given(seed=st.integers(0, 10_000), members=st.integers(1, 6), classes=st.integers(2, 5), rows=st.integers(0, 40))
def test_probabilities_are_probabilities(seed, members, classes, rows):
    rng = np.random.default_rng(seed)
    answers = rng.dirichlet(np.ones(classes), size=(members, rows))
    stack = of_probabilities(answers, rng.integers(0, classes, rows))
    said = probabilities(stack, answers)
    assert said.shape == (rows, classes)
    assert np.isfinite(said).all()
    assert np.allclose(said.sum(axis=1), 1.0)


def test_without_labels_the_newest_answers_alone():
    answers = np.random.default_rng(0).dirichlet(np.ones(3), size=(4, 10))
    assert np.allclose(probabilities(newest_alone(4, width=3), answers), np.clip(answers[-1], 1e-3, 1.0), atol=5e-3)
    none = of_probabilities(answers[:, :0], np.empty(0, dtype=np.intp))
    assert none.weights.tolist() == [0.0, 0.0, 0.0, 1.0]
    assert of_numbers(np.empty((2, 0)), np.empty(0)).weights.tolist() == [0.0, 1.0]


def test_an_old_member_that_is_right_again_is_heard():
    truth = np.random.default_rng(1).integers(0, 2, 400)
    answers = np.stack([certain(truth, 2, 0.9), certain(1 - truth, 2, 0.7)])
    stack = of_probabilities(answers, truth)
    assert (probabilities(stack, answers).argmax(axis=1) == truth).all()
    assert stack.weights[0] > stack.weights[1]


def test_few_rows_move_little():
    truth = np.zeros(1, dtype=np.intp)
    answers = np.stack([certain(truth, 2, 0.9), certain(truth, 2, 0.6)])
    stack = of_probabilities(answers, truth)
    assert np.abs(stack.weights - [0.0, 1.0]).max() < 0.2


def test_a_shift_of_the_classes_is_met_by_the_offsets():
    rng = np.random.default_rng(2)
    truth = (rng.random(2000) < 0.9).astype(np.intp)
    flat = np.full((1, 2000, 2), 0.5)
    stack = of_probabilities(flat, truth)
    assert probabilities(stack, flat)[0, 1] == pytest.approx(0.9, abs=0.03)


def test_only_one_class_among_the_labels_stays_finite():
    answers = np.full((3, 50, 2), 0.5)
    stack = of_probabilities(answers, np.ones(50, dtype=np.intp))
    assert np.isfinite(stack.weights).all()
    assert np.isfinite(stack.offsets).all()


@given(scale=st.sampled_from([1e-3, 1.0, 1e6]))
def test_the_scale_of_a_regression_does_not_matter(scale):
    rng = np.random.default_rng(3)
    truth = rng.normal(5.0, 1.0, 300)
    answers = np.stack([truth + rng.normal(0, 0.1, 300), truth * 0.5])
    small, large = of_numbers(answers, truth), of_numbers(answers * scale, truth * scale)
    assert np.allclose(small.weights, large.weights)
    assert np.allclose(numbers(small, answers) * scale, numbers(large, answers * scale))
    assert np.abs(numbers(small, answers) - truth).mean() < np.abs(answers[1] - truth).mean()
