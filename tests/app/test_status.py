from datetime import UTC, datetime

from homeostat.app.status import ModelStatus
from homeostat.core.records.routes import Route

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def told(**changes):
    given = {
        "model": "late",
        "state": "unknown",
        "champion": 2,
        "route": Route(model="late", generation=1, champion=2),
        "cycle": None,
        "window": None,
        "workers": 2,
        "quarantined": 0,
        "data_version": 1,
        "time": NOW,
    }
    return ModelStatus(**(given | changes)).sentence


def test_what_is_not_known_yet_is_said():
    assert told() == "late: version 2 answers; 2 workers up; no window has been judged yet"
    assert told(champion=None, route=None, workers=0) == "late: no version is champion yet; no server is up"


def test_why_a_version_was_given_up_is_said():
    told_of = told(given_up="version 3: it failed its warm-up on rows of recent requests: its process died")
    assert "given up: version 3: it failed its warm-up" in told_of


def test_a_canary_and_what_is_set_aside_are_said():
    route = Route(model="late", generation=2, champion=2, canary=3, canary_percent=25.0)
    assert "version 3 answers 25 % as canary" in told(route=route)
    assert told(quarantined=1).endswith("1 batch in quarantine")
    assert told(quarantined=2).endswith("2 batches in quarantine")
