from dataclasses import replace

import numpy as np
import pytest
from tests.serve.planes import CANARY, recorded

from homeostat.serve.exposition import exposition
from homeostat.testing import serving as fakes
from homeostat.train.package import Package


@pytest.mark.parametrize("labels", [[np.nan], [np.inf], [1.0, 2.0], None, ["a"]])
def test_an_answer_that_is_no_answer_is_a_failure(plane_of, records, labels):
    models = {1: fakes.Answers([7.0]), 2: fakes.Answers(labels)}
    plane = plane_of(models, CANARY, signature=fakes.REGRESSION)
    assert plane.answer("m", [fakes.ROW], request_id="r").predictions.labels.tolist() == [7.0]
    assert recorded(records, "version", "status") == [(2, "error"), (1, "ok")]


def test_answers_whose_sum_is_out_of_range_are_answers(plane_of):
    plane = plane_of({1: fakes.Answers([1e308, 1e308])}, signature=fakes.REGRESSION)
    assert plane.answer("m", [fakes.ROW] * 2).predictions.labels.tolist() == [1e308, 1e308]


def test_a_canary_that_wants_a_column_the_champion_does_not_have_fails_alone(plane_of, records):
    other = replace(fakes.BINARY, columns=(*fakes.BINARY.columns, replace(fakes.BINARY.columns[0], name="more")))
    plane = plane_of({1: fakes.Says(0.25), 2: Package(model=fakes.Says(0.75), signature=other)}, CANARY)
    assert plane.answer("m", [fakes.ROW], request_id="r").version == 1
    assert "more" in records.read("predictions", "m")["error"][0]


def test_a_canary_that_wants_fewer_columns_gets_those(plane_of):
    other = replace(fakes.BINARY, columns=fakes.BINARY.columns[:1])
    plane = plane_of({1: fakes.Says(0.25), 2: Package(model=fakes.Says(0.75), signature=other)}, CANARY)
    assert plane.answer("m", [fakes.ROW], request_id="r").version == 2


def test_a_canary_that_hangs_is_answered_for_by_the_champion(plane_of, records):
    slow = fakes.Hangs()
    plane = plane_of({1: fakes.Says(0.25), 2: slow}, CANARY, trial_timeout_s=0.05)
    slow.go.clear()
    assert plane.answer("m", [fakes.ROW], request_id="r1").version == 1
    assert plane.answer("m", [fakes.ROW], request_id="r2").version == 1
    slow.go.set()
    assert recorded(records, "request_id", "version", "status") == [
        ("r1", 2, "error"),
        ("r1", 1, "ok"),
        ("r2", 2, "error"),
        ("r2", 1, "ok"),
    ]


def test_what_was_evaluated_is_counted(plane_of):
    plane = plane_of({1: fakes.Says(0.25), 2: fakes.Raises()}, CANARY)
    plane.answer("m", [fakes.ROW] * 3, request_id="r")
    text = exposition(plane.metrics.counts).decode()
    assert 'homeostat_evaluations_total{model="m",route="canary",status="error",version="2"} 1.0' in text
    assert 'homeostat_rows_total{model="m",route="champion",version="1"} 3.0' in text
    assert 'homeostat_evaluation_seconds_count{model="m",route="champion",version="1"} 1.0' in text
