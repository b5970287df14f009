from datetime import timedelta

import pytest
from tests.retrain.worlds import START

from homeostat.retrain.simulated_time import InlineDurable, SimulatedClock

DAY = timedelta(days=1)


def test_time_does_not_go_back():
    clock = SimulatedClock(START)
    clock.advance(START + DAY)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(START)


def test_what_is_not_json_does_not_pass_a_step():
    with pytest.raises(TypeError):
        InlineDurable().step("s", lambda: {"at": START})
