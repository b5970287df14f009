"""A record that has more than a look may read."""

from datetime import timedelta
from itertools import pairwise

from tests.watch.record_world import DAY, T0

from homeostat.watch.settings import WatchSettings
from homeostat.watch.stored import verdict_of

FEW = WatchSettings(max_rows=1_000)


def test_of_too_many_rows_those_of_drawn_requests_are_judged_and_the_verdict_says_so(world):
    world.label(world.day(0, n=4_000), T0 + DAY / 2)
    (found,) = world.look(T0 + DAY, settings=FEW)
    assert found.state == "ok"
    assert 0.15 < found.body["share"] < 0.35
    assert abs(found.body["rows"] / found.body["share"] - 4_000) < 600
    assert found.body["labelled"] == found.body["rows"]
    (note,) = [note for note in verdict_of(found).notes if "drawn" in note]
    assert note.startswith(f"judged by {found.body['rows']:,} rows, drawn from about ")
    assert world.look(T0 + DAY, settings=FEW) == []


def test_a_window_judged_by_all_rows_is_not_judged_again_because_now_they_are_drawn(world):
    world.label(world.day(0, n=900), T0 + DAY / 2)
    (whole,) = world.look(T0 + DAY, settings=FEW)
    assert (whole.body["share"], whole.body["rows"]) == (1.0, 900)
    world.label(world.day(1, n=3_000), T0 + 1.5 * DAY)
    (drawn,) = world.look(T0 + 2 * DAY, settings=FEW)
    assert drawn.window_start == T0 + DAY
    assert drawn.body["share"] < 0.5


def test_late_labels_restate_a_window_of_drawn_rows(world):
    answered = world.day(0, n=4_000)
    (early,) = world.look(T0 + DAY, settings=FEW)
    assert (early.state, early.body["labelled"]) == ("unknown", 0)
    world.label(answered, T0 + 2 * DAY, flip=0.35)
    (late,) = world.look(T0 + 2 * DAY, settings=FEW)
    assert (late.state, late.revision) == ("alarm", 1)
    assert late.body["labelled"] == late.body["rows"]


def test_a_long_record_is_read_as_far_back_as_windows_may_still_change(world):
    for number in range(12):
        world.label(world.day(number, n=400), T0 + (number + 0.5) * DAY)
        world.look(T0 + (number + 1) * DAY, settings=FEW)
    world.records.seal()
    world.records.compact()
    read = []
    original = world.records.read
    world.records.read = lambda *args, **how: read.append(how["since"]) or original(*args, **how)
    world.label(world.day(12, n=400), T0 + 12.5 * DAY)
    (found,) = world.look(T0 + 13 * DAY, settings=FEW)
    assert found.window_start == T0 + 12 * DAY
    assert min(read) >= T0 + 9 * DAY
    assert found.body["rows"] > 150  # of four days' rows, not of thirteen's


def test_windows_of_rows_grow_where_rows_come_faster_than_windows_can_be_judged(world):
    settings = WatchSettings(window_rows=10, min_labels=10)
    world.day(0, n=2_000, spread=timedelta(hours=1))
    found = world.look(T0 + DAY, settings=settings)
    assert 45 <= len(found) <= 51
    assert all(one.body["rows"] == 40 for one in found)
    assert all(before.window_end == after.window_start for before, after in pairwise(found))


def test_a_request_whose_canary_failed_is_judged_by_what_the_champion_answered(world):
    answered = world.day(0)
    error = {"route": "canary", "version": 2, "status": "error", "prediction": None, "scores": None}
    failed = [{**row, **error, "received": row["received"] - timedelta(milliseconds=1)} for row in answered]
    world.records.write("predictions", [{k: v for k, v in row.items() if k != "truth"} for row in failed])
    world.label(answered, T0 + DAY / 2)
    (found,) = world.look(T0 + DAY)
    assert (found.state, found.body["rows"]) == ("ok", 300)


def test_rows_whose_content_went_meanwhile_are_left_out(world):
    world.label(world.day(0), T0 + DAY / 2)
    original = world.records.read

    def less(kind, model, **how):
        frame = original(kind, model, **how)
        return frame.tail(-30) if "features" in (how.get("columns") or ()) else frame

    world.records.read = less
    (found,) = world.look(T0 + DAY)
    assert (found.state, found.body["rows"]) == ("ok", 270)
    assert verdict_of(found).quality.invalid_rows == 0
