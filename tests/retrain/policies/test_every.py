from tests.retrain.policies.looks import look

from homeostat.retrain.policies.every import Every


def test_every_third_step_is_trained_after():
    kinds = [Every(3).decide(look(step=step)).kind for step in range(7)]
    assert kinds == ["nothing", "nothing", "retrain", "nothing", "nothing", "retrain", "nothing"]
