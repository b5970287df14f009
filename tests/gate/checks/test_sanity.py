import numpy as np
import pytest

from homeostat.gate.checks.sanity import CHECK
from homeostat.gate.settings import GateSettings
from homeostat.track.predictions import Predictions


def failed(evidence) -> dict[str, str]:
    return {r.subject: r.reason for r in CHECK.run(evidence, GateSettings()) if r.passed is False}


def test_sane_models_pass(world):
    assert failed(world().binary()) == {}
    assert failed(world().regression()) == {}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_counted(world, bad):
    w = world()
    values = w.mean.copy()
    values[[1, 7]] = bad
    assert failed(w.regression(values))["finite"].startswith("2 of 2000")
    with_null = np.array([None, *w.mean[1:]], dtype=object)
    assert failed(w.regression(with_null))["finite"].startswith("1 of 2000")


def test_nan_scores_are_counted(world, scores):
    w = world()
    p = w.p.copy()
    p[0] = np.nan
    assert set(failed(w.binary(scores(p)))) >= {"finite"}


def test_constant_output_fails_whatever_its_form(world, scores):
    w = world()
    assert "same answer to all 2000 rows" in failed(w.regression(np.full(w.n, 3.5)))["varied"]
    assert "varied" in failed(w.binary(scores(np.full(w.n, 0.3))))
    assert "varied" in failed(w.binary(Predictions(labels=np.full(w.n, "no"), classes=("no", "yes"))))


def test_rare_class_never_answered_is_not_constant_while_scores_vary(world, scores):
    w = world()
    assert failed(w.binary(scores(w.p * 0.4))) == {}


def test_exploded_number_is_out_of_range_and_named(world):
    w = world()
    values = w.mean.copy()
    values[9] = 1e12
    assert "such as 1e+12" in failed(w.regression(values))["range"]
    train = np.array([99.0, 101.0])
    assert "training target's 99 to 101" in failed(w.regression(train_target=train))["range"]


def test_scores_that_are_no_probabilities_fail(world):
    w = world()
    raw = np.column_stack((w.p, 2 * w.p))
    answers = Predictions(labels=w.y, scores=raw, classes=("no", "yes"))
    assert "probabilities" in failed(w.binary(answers))


def test_answer_of_no_class_fails_and_is_named(world):
    w = world()
    labels = np.array(["maybe", *w.y[1:]])
    found = failed(w.binary(Predictions(labels=labels, classes=("no", "yes"))))
    assert "'maybe'" in found["labels"]


def test_test_rows_of_an_unknown_class_fail_only_when_they_are_many(world):
    w = world()
    w.y = w.y.astype("<U5")
    w.y[:5] = "later"
    assert failed(w.binary()) == {}
    w.y[:100] = "later"
    assert "'later'" in failed(w.binary())["classes"]


def test_single_row_cannot_be_called_constant(world):
    results = CHECK.run(world(n=1).regression(), GateSettings())
    assert next(r.passed for r in results if r.subject == "varied") is None
