import numpy as np
from tests.retrain.policies.looks import labelled, look

from homeostat.core.columns import Task
from homeostat.retrain.policies.adwin import OnAdwin


def kinds(rule, errors_by_step):
    return [rule.decide(look(step=k, labelled=(one,))).kind for k, one in enumerate(errors_by_step)]


def test_a_rise_of_the_error_is_trained_after_and_an_even_one_is_not():
    rng = np.random.default_rng(0)
    truth = np.zeros(100, dtype=int)
    said = [np.asarray(rng.random(100) < (0.1 if k < 6 else 0.6), dtype=int) for k in range(9)]
    found = kinds(OnAdwin(Task.BINARY, "y"), [labelled(truth, each) for each in said])
    assert "retrain" not in found[:6]
    assert "retrain" in found[6:]


def test_errors_of_a_regression_are_scaled_and_a_fall_is_no_reason():
    rng = np.random.default_rng(1)
    falls = [labelled(np.zeros(100), rng.normal(5 if k < 5 else 1, 0.5, 100)) for k in range(10)]
    assert set(kinds(OnAdwin(Task.REGRESSION, "y"), falls)) == {"nothing"}
    rises = [labelled(np.zeros(100), rng.normal(1 if k < 5 else 5, 0.5, 100)) for k in range(10)]
    assert "retrain" in kinds(OnAdwin(Task.REGRESSION, "y"), rises)[5:]
