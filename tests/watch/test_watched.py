import pytest
from tests.watch.record_world import DAY, T0

from homeostat.watch.stored import verdict_of


def test_only_the_versions_own_answers_count(world):
    world.label(world.day(0), T0 + DAY / 2)
    world.label(world.day(0, version=2, shift=3.0), T0 + DAY / 2, flip=0.5)
    world.day(0, version=1, route="shadow", shift=3.0)
    (found,) = world.look(T0 + DAY)
    assert (found.state, found.body["rows"]) == ("ok", 300)


@pytest.mark.parametrize("scores", [None, [0.1, 0.2, 0.7]])
def test_answers_without_the_probabilities_of_the_task_are_told(world, scores):
    world.label(world.day(0, scores=scores), T0 + DAY / 2)
    (found,) = world.look(T0 + DAY)
    assert found.state == "unknown"
    assert "probabilities" in verdict_of(found).notes[0]
