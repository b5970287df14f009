import numpy as np
import pytest
from tests.watch.cases import KINDS, answers, reference, rows, truth
from tests.watch.record_world import DAY, MODEL, T0

from homeostat.core.columns import Kind, Task
from homeostat.core.errors import InvalidInput
from homeostat.track.predictions import Predictions
from homeostat.watch.baseline import baseline_of, keep_baseline
from homeostat.watch.reference import build_reference
from homeostat.watch.settings import GroupSettings, WatchSettings
from homeostat.watch.stored import verdict_of


def test_a_column_of_groups_that_the_version_was_registered_without_is_named(world):
    world.label(world.day(0), T0 + DAY / 2)
    (found,) = world.look(T0 + DAY, settings=WatchSettings(groups=GroupSettings(protected=["sex", "c"])))
    verdict = verdict_of(found)
    assert verdict.notes == ["version 1 was registered without 'sex': its groups are watched from the next on"]
    assert [one.column for one in verdict.fairness] == ["c"]


def test_a_window_judged_under_another_version_is_left_as_it_is(world):
    world.day(0)
    world.look(T0 + DAY)
    world.label(world.day(0, version=2), T0 + 2 * DAY)
    assert world.look(T0 + 2 * DAY, reference=reference(version=2)) == []


def test_errors_break_quality_even_when_nothing_was_answered(world):
    world.day(0, status="error", prediction=None, scores=None, error="boom")
    (found,) = world.look(T0 + DAY)
    assert (found.state, verdict_of(found).broken) == ("alarm", True)
    assert world.events() == ["window.judged", "quality.broken"]


def test_no_traffic_no_verdict(world):
    assert world.look(T0 + DAY) == []
    assert world.events() == []


def test_the_project_and_the_reference_agree_on_the_task(world):
    with pytest.raises(InvalidInput, match="the project says regression"):
        world.look(T0 + DAY, task=Task.REGRESSION)


def test_regression_is_watched_live(world):
    frame = rows(2_000, 3)
    x = frame["x"].to_numpy()
    noise = np.random.default_rng(0).normal(0, 0.5, 2_000)
    made = build_reference(
        frame, x + noise, Predictions(labels=x), kinds={"x": Kind.FLOAT}, task=Task.REGRESSION, version=1
    )
    answered = world.day(0, prediction=0.25, scores=None)
    world.records.write(
        "labels",
        [
            {"model": MODEL, "request_id": row["request_id"], "value": 5, "received": T0, "label_id": row["request_id"]}
            for row in answered
        ],
    )
    (found,) = world.look(T0 + DAY, reference=made)
    assert verdict_of(found).performance.value == pytest.approx(4.75)
    assert verdict_of(found).decayed


def test_estimates_come_before_labels_and_are_scored_when_these_are_there(world):
    frame = rows(1_500, 1)
    with world.store.write() as tx:
        keep_baseline(tx, MODEL, 1, baseline_of(frame, truth(frame, 1), answers(frame), kinds=KINDS, task=Task.BINARY))
    answered = world.day(0)
    first = verdict_of(world.look(T0 + DAY)[0])
    assert {one.method for one in first.estimates} == {"cbpe", "pape"}
    assert {one.realised for one in first.estimates} == {None}
    world.label(answered, T0 + DAY)
    later = verdict_of(world.look(T0 + DAY)[0])
    assert [one.value for one in later.estimates] == [one.value for one in first.estimates]
    assert {one.realised for one in later.estimates} == {later.performance.value}
    world.day(1)
    following = verdict_of(world.look(T0 + 2 * DAY)[0])
    assert {one.track.windows for one in following.estimates} == {1}
    assert following.estimates[0].calibration_error == later.estimates[0].calibration
