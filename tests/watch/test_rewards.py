"""Labels as rewards of the versions of a split."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from homeostat.core.columns import Task
from homeostat.core.records.routes import Route, Segment, Split
from homeostat.storage.records import FileRecords
from homeostat.watch.rewards import rewards_of

BEGAN = datetime(2026, 1, 2, tzinfo=UTC)


def split(**what):
    return Split(shares={1: 50.0, 2: 50.0}, policy="thompson", **what)


def told(records, answers, *, task, classes=(), route=None, **what):
    """Return the rewards of answers (request, version, prediction, label, more columns), one row each."""
    numbers = {}
    for request, version, prediction, label, *more in answers:
        row = numbers[request] = numbers.get(request, -1) + 1
        answer = {
            "model": "m",
            "request_id": request,
            "row": row,
            "received": BEGAN + timedelta(seconds=1),
            "version": version,
            "route": "champion" if version == 1 else "canary",
            "status": "ok",
            "latency_ms": 1.0,
            "prediction": prediction,
        }
        records.write("predictions", [{**answer, **(more[0] if more else {})}])
        if label is not None:
            truth = {"model": "m", "request_id": request, "row": row, "value": label}
            records.write(
                "labels", [{**truth, "received": BEGAN + timedelta(seconds=2), "label_id": f"{request}{row}"}]
            )
    share = split(**what)
    return rewards_of(
        records.read("predictions", "m"),
        records.read("labels", "m"),
        route=route or Route(model="m", generation=1, champion=1, split=share),
        split=share,
        task=task,
        classes=classes,
        since=BEGAN,
    )


@pytest.fixture
def records(tmp_path):
    return FileRecords(tmp_path, writer_id="w")


def sums(found):
    return {version: (arm.n, arm.total) for version, arm in found.arms.items()}


def test_a_right_answer_is_rewarded_and_what_is_not_known_yet_is_not_counted(records):
    answers = [("a", 1, "yes", "yes"), ("b", 1, "yes", "no"), ("c", 2, "no", "no"), ("d", 2, "no", None)]
    found = told(records, answers, task=Task.BINARY, classes=["no", "yes"], reward="correct")
    assert (found.kind, sums(found)) == ("rate", {1: (2, 1.0), 2: (1, 1.0)})


def test_a_request_counts_once_whatever_its_rows(records):
    answers = [("a", 1, "yes", "yes"), ("a", 1, "yes", "no"), ("a", 1, "no", "no"), ("a", 1, "no", "no")]
    found = told(records, answers, task=Task.BINARY, classes=["no", "yes"], reward="correct")
    assert sums(found) == {1: (1, 0.75), 2: (0, 0.0)}


def test_a_number_is_rewarded_by_how_near_it_was(records):
    answers = [("a", 1, 3.0, 5.0), ("b", 2, 5.5, 5.0)]
    found = told(records, answers, task=Task.REGRESSION, reward="correct")
    assert (found.kind, sums(found)) == ("mean", {1: (1, -2.0), 2: (1, -0.5)})


@pytest.mark.parametrize(("labels", "kind"), [((1, 0), "rate"), ((1.0, 7.5), "mean")])
def test_a_label_may_be_the_reward_itself(records, labels, kind):
    task, classes = (Task.BINARY, [0, 1]) if kind == "rate" else (Task.REGRESSION, ())
    found = told(records, [("a", 1, 0, labels[0]), ("b", 2, 0, labels[1])], task=task, classes=classes, reward="label")
    assert (found.kind, sums(found)) == (kind, {1: (1, labels[0]), 2: (1, labels[1])})


def test_what_was_answered_before_the_split_or_beside_it_is_not_counted(records):
    earlier = {"received": BEGAN - timedelta(seconds=1)}
    answers = [
        ("a", 1, 1, 1, earlier),
        ("b", 2, 1, 1, {"route": "shadow"}),
        ("c", 2, 1, 1, {"route": "pinned"}),
        ("d", 2, 1, 1, {"status": "error"}),
        ("e", 2, 1, 0),
    ]
    found = told(records, answers, task=Task.BINARY, classes=[0, 1], reward="correct")
    assert sums(found) == {1: (0, 0.0), 2: (1, 0.0)}


def test_what_a_segment_takes_is_not_counted(records):
    route = Route(
        model="m",
        generation=1,
        champion=1,
        segments=(Segment(when={"city": "Ulm"}, version=2), Segment(when={"key": "acme"}, version=1)),
        split=split(reward="correct"),
    )
    ulm, bonn = ({"features": json.dumps({"city": city, "x": 1.0})} for city in ("Ulm", "Bonn"))
    answers = [
        ("a", 2, 1, 1, ulm),
        ("b", 2, 1, 1, bonn),
        ("c", 1, 1, 1, {**bonn, "key": "acme"}),
        ("d", 1, 1, 1, {**bonn, "key": "other"}),
        ("e", 2, 1, 1, ulm),
        ("e", 2, 1, 1, bonn),
    ]
    found = told(records, answers, task=Task.BINARY, classes=[0, 1], route=route, reward="correct")
    assert sums(found) == {1: (1, 1.0), 2: (2, 2.0)}


def test_nothing_recorded_is_no_reward(records):
    found = told(records, [], task=Task.BINARY, classes=[0, 1], reward="correct")
    assert sums(found) == {1: (0, 0.0), 2: (0, 0.0)}
    assert isinstance(records.read("labels", "m"), pl.DataFrame)
