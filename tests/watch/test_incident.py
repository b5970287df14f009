"""An incident opens, goes on, gets worse, ends, and begins again; people hear of what matters."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.watch.incident import Sign, follow, level, severity

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CALM = Sign(is_alarm=False)


def alarm(strength=1.0, *columns):
    return Sign(is_alarm=True, because=f"moved by {strength}", columns=columns or ("a",), severity=strength)


def play(signs, *, cooldown=DAY):
    """Return the words of each window, and the incident at the end."""
    known, words = None, []
    for at in range(len(signs)):
        step = follow(
            known, signs[max(0, at - 2) : at + 1], model="m", kind="drift", version=1,
            start=T0 + at * DAY, end=T0 + (at + 1) * DAY, cooldown=cooldown,
        )  # fmt: skip
        words.append(None if step is None else step.word + ("!" if step.is_told else ""))
        known = known if step is None else step.incident
    return words, known


def test_two_of_three_windows_open_it_and_one_alone_does_not():
    assert play([alarm(), CALM, CALM, alarm()])[0] == [None] * 4
    assert play([alarm(), CALM, alarm()])[0] == [None, None, "opened!"]
    assert play([CALM, alarm(), alarm()])[0] == [None, None, "opened!"]


def test_columns_that_move_together_are_one_story():
    words, found = play([alarm(1.0, "a"), alarm(1.2, "b"), alarm(1.1, "a", "c")])
    assert words == [None, "opened!", "continued"]
    assert found.columns == ("a", "b", "c")
    assert (found.windows, found.severity) == (3, 1.2)


def test_getting_worse_is_told_once_for_each_step():
    assert play([alarm(1.0), alarm(1.0), alarm(1.4), alarm(1.6), alarm(1.7), alarm(2.5)])[0] == [
        None, "opened!", "continued", "escalated!", "continued", "escalated!",
    ]  # fmt: skip


def test_two_calm_windows_end_it():
    words, found = play([alarm(), alarm(), CALM, alarm(), CALM, CALM])
    assert words == [None, "opened!", None, "continued", None, "resolved!"]
    assert found.resolved == T0 + 6 * DAY


def test_one_that_begins_again_within_the_cool_down_goes_on_untold():
    again = [alarm(), alarm(), CALM, CALM, alarm(), alarm()]
    words, found = play(again, cooldown=5 * DAY)
    assert words == [None, "opened!", None, "resolved!", None, "reopened"]
    assert found.opened == T0 + 2 * DAY
    assert play(again, cooldown=timedelta(0))[0][-1] == "opened!"


@given(st.lists(st.sampled_from([CALM, alarm(1.0), alarm(3.0)]), max_size=30))
def test_told_endings_and_beginnings_alternate(signs):
    words, _ = play(signs, cooldown=timedelta(0))
    ends = [word for word in words if word in ("opened!", "resolved!")]
    assert ends == (["opened!", "resolved!"] * len(ends))[: len(ends)]


def test_severity_is_drift_times_importance():
    assert severity(["a"], {"a": 4.0}, {"a": 0.0}) == pytest.approx(0.2)  # never nothing
    assert severity([], {}, {}) == 1.0
    assert [level(value) for value in (0.4, 0.5, 2.0)] == ["low", "medium", "high"]
