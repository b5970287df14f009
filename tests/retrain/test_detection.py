from datetime import timedelta

import polars as pl
import pytest
from tests.retrain.results import BEGIN, ROWS, policy, step, turn

from homeostat.core.duration import Duration
from homeostat.core.errors import InvalidInput
from homeostat.data.settings import DataSettings
from homeostat.retrain.detection import detections, rows_of
from homeostat.retrain.timeline import timeline

DAYS = 20  # replayed, after ten days of history: rows 1,000 to 2,999
HISTORY = 10


@pytest.fixture(scope="module")
def line():
    rows = (DAYS + HISTORY) * ROWS
    times = [BEGIN + timedelta(days=k / ROWS - HISTORY) for k in range(rows)]
    data = DataSettings(source="x", target="y", time="at")
    return timeline(
        pl.DataFrame({"at": times, "y": [0] * rows}), data=data, history=Duration(days=HISTORY), step=Duration(days=1)
    )


def told(line, points, *, alarms=(), trained=(), first_rows=HISTORY * ROWS, noticed=()):
    """Steps in `alarms` are called bad at their end; after those in `trained` a model of the newest 100 rows comes (for a sign: `noticed`)."""
    steps = []
    for k in range(DAYS):
        end = BEGIN + timedelta(days=k + 1)
        trigger = "change" if k in noticed else "schedule"
        acted = turn(end, "promoted", trigger, version=2, rows=ROWS) if k in trained else turn(end)
        state = "alarm" if k in alarms else "ok"
        steps.append(step(k, acted=acted, state=state, judged_at=end.isoformat()))
    one = policy("p", steps, start=turn(BEGIN, "promoted", "first", version=1, rows=first_rows))
    found, false = detections(one, points, line, delay=timedelta())
    return [each.delay_rows for each in found], false


def test_an_alarm_after_the_change_finds_it_and_one_before_is_false(line):
    change = 1500  # at the start of step 5
    assert told(line, [change], alarms=(6,)) == ([200], 0)
    assert told(line, [change], alarms=(2, 6)) == ([200], 1)
    assert told(line, [change], alarms=()) == ([None], 0)
    assert told(line, [change], alarms=(4,)) == ([None], 1)


def test_an_alarm_about_a_model_of_the_present_world_alone_is_false(line):
    change = 1500
    assert told(line, [change], alarms=(6, 9), trained=(6,))[1] == 1
    assert told(line, [change], alarms=(6, 9), trained=(5,), first_rows=100)[1] == 2
    assert told(line, [1550], alarms=(6, 9), trained=(5,))[1] == 0  # rows 1,500 to 1,599 are of both worlds


def test_a_training_for_a_sign_of_change_is_an_alarm_and_a_scheduled_one_is_not(line):
    assert told(line, [1500], trained=(5,), noticed=(5,)) == ([100], 0)
    assert told(line, [1500], trained=(5,)) == ([None], 0)


def test_each_change_has_its_own_alarm(line):
    assert told(line, [1500, 2000], alarms=(6, 12)) == ([200, 300], 0)
    assert told(line, [1500, 2000], alarms=(12,)) == ([None, 300], 0)


def test_points_are_rows_or_times(line):
    assert rows_of(["2024-01-06", " 1200", "2024-01-06T00:00:00+00:00"], line, delay=timedelta()) == [1200, 1500]


@pytest.mark.parametrize("point", ["soon", "0", "3000", "2030-01-01", "-5"])
def test_points_outside_are_refused(line, point):
    with pytest.raises(InvalidInput, match="change point"):
        rows_of([point], line, delay=timedelta())
