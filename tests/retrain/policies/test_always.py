from tests.retrain.policies.looks import look

from homeostat.retrain.policies.always import Always


def test_each_step_is_trained_after_and_each_time_is_a_cycle_of_its_own():
    found = [Always().decide(look(step=step)) for step in range(5)]
    assert {decision.kind for decision in found} == {"retrain"}
    assert len({decision.firing.cause for decision in found}) == 5
