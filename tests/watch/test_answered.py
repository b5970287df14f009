import json
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Task
from homeostat.core.records.watching import WindowVerdict
from homeostat.track.predictions import Predictions
from homeostat.watch.answered import answered, answered_together, answers_of

DAY = timedelta(days=1)


def binary(seed, rows=400):
    rng = np.random.default_rng(seed)
    score = rng.uniform(size=rows)
    truth = ["yes" if came else "no" for came in rng.uniform(size=rows) < score]
    labels = np.where(score > 0.5, "yes", "no").astype(object)
    return Predictions(labels=labels, scores=np.stack([1 - score, score], axis=1), classes=("no", "yes")), truth


def window(day, answers, *, version=1):
    start = datetime(2026, 1, 1, tzinfo=UTC) + day * DAY
    body = {"version": version, "answers": None if answers is None else json.loads(msgspec.json.encode(answers))}
    return WindowVerdict(
        model="m", window_start=start, window_end=start + DAY, revision=0, computed=start, state="ok", body=body
    )


def test_days_go_together():
    parts = [binary(seed) for seed in range(3)]
    days = [window(at, answered(said, pl.Series(truth), task=Task.BINARY)) for at, (said, truth) in enumerate(parts)]
    whole = answered_together([window(-1, None), *days])
    said = Predictions(
        labels=np.concatenate([said.labels for said, _ in parts]),
        scores=np.concatenate([said.scores for said, _ in parts]),
        classes=("no", "yes"),
    )
    truth = pl.Series([one for _, truth in parts for one in truth])
    expected = answered(said, truth, task=Task.BINARY)
    assert (whole.right, whole.labelled) == (expected.right, 1_200)
    assert whole.reliability.came == expected.reliability.came
    assert whole.reliability.error == pytest.approx(expected.reliability.error)
    assert whole.accuracy == pytest.approx(np.mean(said.labels == truth.to_numpy()))


def test_only_the_newest_version_counts():
    said, truth = binary(0)
    one = answered(said, pl.Series(truth), task=Task.BINARY)
    found = answered_together([window(0, one), window(1, one, version=2)])
    assert found.rows == one.rows
    assert answered_together([]) is None
    assert answers_of(window(0, None)) is None


def test_labels_come_later():
    said, truth = binary(0)
    known = pl.Series([one if at < 100 else None for at, one in enumerate(truth)])
    found = answered(said, known, task=Task.BINARY)
    assert (found.rows, found.labelled, sum(found.reliability.labelled)) == (400, 100, 100)


def test_numbers_keep_their_residuals():
    said = Predictions(labels=np.array([1.0, 2.0, np.nan]))
    found = answered(said, pl.Series([0.0, 0.0, 0.0]), task=Task.REGRESSION)
    assert (found.residuals.count, found.residuals.mean, found.spoilt, found.accuracy) == (2, 1.5, 1, None)


@pytest.mark.parametrize("classes", [("a", "b", "c"), (1, 2, 3)], ids=["words", "numbers"])
def test_of_many_classes_the_answers_probability_counts(classes):
    scores = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])
    labels = np.array([classes[0], classes[2]], dtype=object)
    found = answered(
        Predictions(labels=labels, scores=scores, classes=classes),
        pl.Series([classes[0], classes[0]]),
        task=Task.MULTICLASS,
    )
    assert (found.right, found.labelled) == (1, 2)
    assert found.reliability.error == pytest.approx(0.1)  # both promised 0.6, one came true


def test_answers_without_probabilities_are_right_or_not():
    said, truth = binary(0)
    found = answered(Predictions(labels=said.labels, classes=("no", "yes")), pl.Series(truth), task=Task.BINARY)
    assert (found.labelled, found.reliability) == (400, None)
    assert found.accuracy == pytest.approx(np.mean(said.labels == np.array(truth)))
