"""What a page says to do next, and where it is."""

from datetime import UTC, datetime

import pytest

from homeostat.app.status import ModelStatus
from homeostat.core.records.cycles import Cycle
from homeostat.web.pages.render import address, next_step

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def model(**more):
    known = {
        "state": "ok", "champion": 1, "route": None, "cycle": None, "window": None, "workers": 1,
        "quarantined": 0, "data_version": 1,
    }  # fmt: skip
    return ModelStatus(model="late", time=NOW, **(known | more))


def cycle(stage):
    return Cycle(cycle_id="abc", model="late", trigger="manual", because="", started=NOW, stage=stage)


@pytest.mark.parametrize(
    ("found", "command"),
    [
        (model(), None),
        (model(champion=None), "homeostat train"),
        (model(champion=None, ready=2), "homeostat models promote 2"),
        (model(workers=0), "homeostat up"),
        (model(state="alarm"), "homeostat watch show"),
        (model(champion=None, cycle=cycle("train")), None),
        (model(cycle=cycle("approval")), "homeostat cycles approve abc --by NAME"),
    ],
)
def test_the_next_step_fits_how_the_model_is(found, command):
    step = next_step(found)
    assert (None if step is None else step.command) == command


def test_any_name_is_one_segment_of_an_address():
    assert address("a/../b?c") == "/models/a%2F..%2Fb%3Fc/watch"
