"""What a model's page is made of."""

import pytest
from tests.web.pages.world import keep, of_scores, open_incident, open_project, window

from homeostat.app.watched import watched
from homeostat.core.errors import NotFound


@pytest.fixture
def house(tmp_path):
    opened = open_project(tmp_path)
    yield opened
    opened.store.close()


def test_only_the_newest_windows_count(house):
    keep(house, *(window(day, of_scores(day, rows=100)) for day in range(4)))
    open_incident(house)
    found = watched(house, "late", last=2)
    assert [one.window_start.day for one in found.windows] == [3, 4]
    assert found.together.rows == 200
    assert [one.kind for one in found.incidents] == ["performance"]
    assert found.status.model == "late"


def test_a_model_of_the_project_is_known_before_it_has_a_version(house):
    assert watched(house, "late", last=1).together is None
    with pytest.raises(NotFound, match="no model 'lat'") as told:
        watched(house, "lat", last=1)
    assert told.value.hint == "did you mean 'late'?"
