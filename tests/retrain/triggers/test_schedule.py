from datetime import UTC, datetime, timedelta

import pytest
from tests.retrain.situations import DAY, NOW, cycle, situation

from homeostat.core.errors import InvalidProject
from homeostat.core.records.cycles import CycleState
from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.schedule import TRIGGER, last_due

DAILY_AT_3 = Triggers(schedule="0 3 * * *")


def test_is_due_once_until_a_cycle_has_started():
    assert "2024-03-01 03:00" in TRIGGER.fired(situation(), DAILY_AT_3).because
    started = cycle(1, CycleState.REJECTED, ago=timedelta(hours=2))
    assert TRIGGER.fired(situation(cycles=(started,)), DAILY_AT_3) is None
    before = cycle(1, CycleState.PROMOTED, ago=DAY)
    assert TRIGGER.fired(situation(cycles=(before,)), DAILY_AT_3) is not None


def test_the_same_due_time_is_the_same_cycle():
    one = TRIGGER.fired(situation(), DAILY_AT_3)
    two = TRIGGER.fired(situation(now=NOW + timedelta(hours=5)), DAILY_AT_3)
    assert one.cycle_id("flights") == two.cycle_id("flights")


def test_what_was_due_before_the_schedule_was_looked_at_does_not_count():
    assert TRIGGER.fired(situation(last_schedule_check=NOW - timedelta(hours=1)), DAILY_AT_3) is None


def test_no_schedule_never_fires():
    assert TRIGGER.fired(situation(), Triggers()) is None


def test_a_due_time_counts_from_its_very_instant():
    at = datetime(2024, 1, 1, 3, tzinfo=UTC)
    assert last_due("0 3 * * *", at) == at
    assert last_due("0 3 * * *", at - timedelta(microseconds=1)) == at - DAY


@pytest.mark.parametrize("line", ["every day", "61 * * * *", "", "* *"])
def test_a_line_that_is_not_cron_is_refused(line):
    with pytest.raises(InvalidProject, match="is not a cron line"):
        TRIGGER.fired(situation(), Triggers(schedule=line))
