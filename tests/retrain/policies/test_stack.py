import polars as pl
import pytest
from tests.retrain.worlds import folder_with_rules, moving_world, project

from homeostat.core.duration import Duration
from homeostat.retrain.backtest import backtest


def replayed(tmp_path, frame, **parts):
    options = {"project": project(**parts), "root": folder_with_rules(tmp_path), "history": Duration(days=16)}
    return backtest(frame, policies={"never": "never", "stack": "stack"}, **options)


@pytest.mark.parametrize("delay", ["0s", "4d"])
def test_a_change_is_answered_within_the_budget_and_a_still_world_with_nothing(tmp_path, delay):
    result = replayed(tmp_path, moving_world(), label_delay=delay)
    never, stack = result.policy("never"), result.policy("stack")
    trained = [step.index for step in stack.steps if step.turn.action == "promoted"]
    assert trained
    assert trained[0] >= 7, "the change is in the eighth step"
    assert stack.retrainings <= 0.19 * len(stack.steps) + 3  # and what is saved at the start
    assert stack.metrics["log_loss"] < never.metrics["log_loss"] - 0.1
    assert {step.turn.trigger for step in stack.steps if step.turn.action == "promoted"} == {"change"}
    still = replayed(tmp_path, moving_world(change=99), label_delay=delay).policy("stack")
    assert still.retrainings == 0


def test_an_old_member_comes_back_without_a_training(tmp_path):
    """The rule turns over on day 30 and back on day 45: weights alone bring the first model back."""
    there, back = moving_world(change=30), moving_world(change=99)
    world = pl.concat([there.head(45 * 50), back.tail(15 * 50)])
    result = replayed(tmp_path, world)
    stack = result.policy("stack")
    returned = [step for step in stack.steps if step.index >= 15]
    until = next(step.index for step in returned if step.metrics["log_loss"] < 0.6)
    assert until <= 16
    trained = [step.index for step in stack.steps if step.turn.action == "promoted" and 14 <= step.index <= until]
    assert len(trained) <= 1
