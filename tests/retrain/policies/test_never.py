from tests.retrain.policies.looks import look

from homeostat.retrain.policies.never import Never


def test_nothing_is_trained_after_the_first_model():
    assert {Never().decide(look(step=step)).kind for step in range(20)} == {"nothing"}
