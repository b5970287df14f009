"""Bad input in production, the whole way from the record to the verdict: it names what is wrong, and never crashes or passes in silence."""

import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from tests.watch.cases import SETTINGS, answers, rows
from tests.watch.record_world import DAY, REFERENCE, T0

from homeostat.watch.observe import observe
from homeostat.watch.settings import WatchSettings
from homeostat.watch.stored import verdict_of

NO_ESTIMATES = WatchSettings(estimates=[])


def recorded(world, change, *, n: int = 300) -> list[dict]:
    """Record a day of which `change(features, at)` has spoilt each row's features."""
    written = []
    keep = world.records.write
    world.records.write = lambda kind, given: written.extend(given)
    answered = world.day(0, n=n)
    world.records.write = keep
    spoilt = [
        {**row, "features": json.dumps(change(json.loads(row["features"]), at))} for at, row in enumerate(written)
    ]
    world.records.write("predictions", spoilt)
    return answered


def seen(world, now=T0 + DAY, **options):
    return [verdict_of(one) for one in world.look(now, settings=NO_ESTIMATES, **options)]


def without(features: dict, name: str) -> dict:
    return {key: value for key, value in features.items() if key != name}


# what becomes of a row, the kind of the cause that has to be there, and the column that it names
CASES = {
    "constant number": (lambda f, at: {**f, "x": 0.5}, "drift", "x"),
    "constant category": (lambda f, at: {**f, "c": "a"}, "drift", "c"),
    "all null": (lambda f, at: {**f, "x": None}, "quality", "x"),
    "all null, category": (lambda f, at: {**f, "c": None}, "quality", "c"),
    "missing": (lambda f, at: without(f, "x"), "quality", "x"),
    "far out of range": (lambda f, at: {**f, "x": 1e300 * (-1) ** at}, "quality", "x"),
    "infinite": (lambda f, at: {**f, "x": "inf" if at % 2 else "-inf"}, "quality", "x"),
    "not a number": (lambda f, at: {**f, "x": "NaN"}, "quality", "x"),
    "type changed to text": (lambda f, at: {**f, "x": f"about {f['x']:.1f}"}, "quality", "x"),
    "type changed to objects": (lambda f, at: {**f, "x": {"value": f["x"]}}, "quality", "x"),
    "type changed to lists": (lambda f, at: {**f, "c": [f["c"]]}, "quality", "c"),
    "numbers for categories": (lambda f, at: {**f, "c": at}, "quality", "c"),
    "unseen categories only": (lambda f, at: {**f, "c": f"new {at % 3}"}, "quality", "c"),
    "every category another": (lambda f, at: {**f, "c": f"new {at}"}, "quality", "c"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_spoilt_column_is_named(world, case):
    change, kind, column = CASES[case]
    recorded(world, change)
    (verdict,) = seen(world, labels_come=False)
    assert verdict.state == "alarm", verdict.summary
    causes = [cause for cause in verdict.causes if cause.kind == kind]
    assert any(column in cause.columns or f"'{column}'" in cause.because for cause in causes), verdict.causes


def test_columns_that_were_added_do_no_harm(world):
    recorded(world, lambda f, at: {**f, "extra": at})
    (verdict,) = seen(world, labels_come=False)
    assert verdict.state == "ok"


def test_rows_without_any_features_are_no_silence(world):
    recorded(world, lambda f, at: {})
    (verdict,) = seen(world, labels_come=False)
    assert verdict.state == "alarm"
    assert verdict.broken


@pytest.mark.parametrize("n", [1, 2])
def test_one_row_says_that_it_says_nothing(world, n):
    world.label(world.day(0, n=n), T0 + DAY / 2)
    (verdict,) = seen(world)
    assert verdict.state == "unknown"
    assert "too few values" in " ".join(verdict.notes)


def test_time_that_goes_backwards_puts_rows_into_the_windows_of_their_own_time(world):
    for day in (3, 1, 2):  # received in this order; what happened last came first
        world.label(world.day(day, received=T0 + 10 * DAY, event_time=T0 + day * DAY + DAY / 2), T0 + 11 * DAY)
    found = world.look(T0 + 12 * DAY, settings=NO_ESTIMATES)
    assert [one.window_start for one in found] == [T0 + day * DAY for day in (1, 2, 3)]
    assert {verdict_of(one).state for one in found} == {"ok"}
    # a row of long ago that comes now is a window of its own, with what can be said of it
    world.day(0, n=1, received=T0 + 12 * DAY, event_time=T0)
    (late,) = world.look(T0 + 13 * DAY, settings=NO_ESTIMATES)
    assert (late.window_start, late.state) == (T0, "unknown")


def test_times_before_1970_and_in_the_far_future_are_windows_too(world):
    world.day(0, n=120, event_time=T0 - timedelta(days=20_000))
    world.day(0, n=120, event_time=T0 + timedelta(days=20_000))
    found = world.look(T0 + DAY, settings=NO_ESTIMATES)
    assert [one.window_start.year for one in found] == [1958]  # the other is not over yet


def test_labels_that_come_twice_count_once(world):
    answered = world.day(0)
    for hour in (12, 13, 14):
        world.label(answered, T0 + timedelta(hours=hour))
    (found,) = world.look(T0 + DAY, settings=NO_ESTIMATES)
    assert (found.state, found.body["labelled"], found.body["rows"]) == ("ok", 300, 300)


def test_labels_of_unknown_ids_are_no_labels_of_this_window(world):
    world.day(0)
    world.label([{"request_id": f"nobody{n}", "truth": "yes"} for n in range(300)], T0 + DAY / 2)
    (verdict,) = seen(world)
    assert verdict.state == "unknown"
    assert "no label of 300 rows is known" in verdict.summary


def test_answers_that_are_no_class_are_told(world):
    world.day(0, prediction="maybe")
    (verdict,) = seen(world, labels_come=False)
    assert (verdict.state, [cause.kind for cause in verdict.causes]) == ("alarm", ["predictions"])


@pytest.mark.long
def test_a_million_distinct_categories_are_one_verdict():
    n = 1_000_000
    frame = rows(n, 5).with_columns(c=pl.int_range(n, eager=True).cast(pl.String))
    verdict = observe(
        frame, reference=REFERENCE, predictions=answers(frame), y=None, settings=SETTINGS, labels_come=False
    )
    assert verdict.state == "alarm"
    assert [cause.kind for cause in verdict.causes if "c" in cause.columns or "'c'" in cause.because]
    assert np.isfinite([one.effect for one in verdict.columns]).all()
