import numpy as np
import polars as pl
import pytest
from tests.watch.cases import KINDS, answers, rows, truth

from homeostat.core.columns import Kind, Task
from homeostat.core.errors import InvalidInput
from homeostat.storage.sql.store import open_memory_store
from homeostat.track.predictions import Predictions
from homeostat.watch.baseline import Baseline, baseline_of, keep_baseline, kept_baseline


def made(n: int = 7_000) -> Baseline:
    frame = rows(n, 1)
    return baseline_of(frame, truth(frame, 1), answers(frame), kinds=KINDS, task=Task.BINARY)


def test_rows_are_kept_as_they_were_and_at_most_five_thousand():
    ours = made()
    store = open_memory_store()
    with store.write() as tx:
        keep_baseline(tx, "churn", 3, ours)
    with store.read() as tx:
        found = kept_baseline(tx, "churn", 3)
        assert kept_baseline(tx, "churn", 4) is None
    assert len(found.said) == 5_000
    assert found.features.equals(ours.features)
    assert np.array_equal(found.scores, ours.scores)
    assert np.array_equal(found.truth, ours.truth)
    assert set(found.truth) == {0, 1}


def test_rows_of_a_class_that_the_model_does_not_know_are_left_out():
    frame = rows(200, 2)
    y = truth(frame, 2)
    y[:50] = "?"
    assert len(baseline_of(frame, y, answers(frame), kinds=KINDS, task=Task.BINARY).said) == 150


def test_numbers_are_kept_as_numbers_and_times_not_at_all():
    frame = pl.DataFrame({"x": [1, 2, 3], "t": ["2026-01-01"] * 3}).with_columns(pl.col("t").str.to_date())
    found = baseline_of(
        frame,
        np.array([1.0, 2.0, np.nan]),
        Predictions(labels=np.ones(3)),
        kinds={"x": Kind.INTEGER, "t": Kind.DATETIME},
        task=Task.REGRESSION,
    )
    again = Baseline.from_json(found.to_json())
    assert again.features.columns == ["x"]
    assert again.truth.tolist() == [1.0, 2.0]
    assert again.scores is None


@pytest.mark.parametrize("found", [{}, {"rows": "%"}, {"rows": "aGVsbG8="}])
def test_what_is_no_baseline_is_refused(found):
    with pytest.raises(InvalidInput, match="no rows of a reference"):
        Baseline.from_json(found)
