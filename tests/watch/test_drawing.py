from datetime import timedelta

import pytest
from tests.watch.record_world import DAY, MODEL, T0

from homeostat.watch.drawing import share_for


def test_of_few_rows_all_are_read_and_of_many_as_many_as_wanted(world):
    assert share_for(world.records, MODEL, since=None, most=100) == 1.0
    world.day(0, n=400)
    world.day(1, n=400)
    world.records.seal()
    world.records.compact()
    assert share_for(world.records, MODEL, since=None, most=800) == 1.0
    assert share_for(world.records, MODEL, since=None, most=200) == pytest.approx(0.25)
    assert share_for(world.records, MODEL, since=T0 + DAY - timedelta(seconds=1), most=200) == pytest.approx(0.5)
