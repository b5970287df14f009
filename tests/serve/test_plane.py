import pytest
from tests.serve.planes import CANARY, SHADOW, FailsLate, recorded, waiting_for

from homeostat.core.errors import InvalidRows, Unreachable
from homeostat.core.records.routes import Route
from homeostat.serve.answer import PredictionFailed
from homeostat.serve.forgets import Forgets
from homeostat.testing import serving as fakes


def test_the_champion_answers_and_the_answer_is_in_the_record(plane_of, records):
    plane = plane_of({1: fakes.Says(0.75)})
    answer = plane.answer("m", [fakes.ROW, {"x": 1, "city": None}], request_id="r1")
    assert (answer.request_id, answer.model, answer.version) == ("r1", "m", 1)
    assert answer.predictions.labels.tolist() == ["yes", "yes"]
    rows = records.read("predictions", "m")
    assert rows.select("request_id", "row", "version", "route", "status", "prediction").rows() == [
        ("r1", 0, 1, "champion", "ok", "yes"),
        ("r1", 1, 1, "champion", "ok", "yes"),
    ]
    assert rows["features"].to_list() == ['{"x":0.25,"city":"Ulm"}', '{"x":1.0,"city":null}']
    assert rows["scores"].to_list() == [[0.25, 0.75]] * 2
    assert rows["received"].to_list() == [fakes.NOW] * 2
    assert rows["latency_ms"].min() > 0


def test_the_answer_is_durable_before_it_is_given(plane_of):
    order = []

    class Watched(Forgets):
        def submit(self, model, lines, done):
            order.append("written")
            done(None)

    plane = plane_of({1: fakes.Says(0.5)}, record=Watched())
    plane.answer("m", [fakes.ROW], request_id="r")
    order.append("answered")
    assert order == ["written", "answered"]


def test_what_cannot_be_recorded_is_not_answered(plane_of):
    class Full(Forgets):
        def submit(self, model, lines, done):
            done(Unreachable("no space"))

    plane = plane_of({1: fakes.Says(0.5)}, record=Full())
    with pytest.raises(Unreachable):
        plane.answer("m", [fakes.ROW], request_id="r")


def test_refused_rows_leave_no_trace(plane_of, records):
    plane = plane_of({1: fakes.Says(0.5)})
    with pytest.raises(InvalidRows):
        plane.answer("m", [{"x": "1", "city": None}], request_id="r")
    assert recorded(records, "request_id") == []


def test_the_canary_answers_its_share_and_the_champion_is_evaluated_on_the_same_rows(plane_of, records):
    plane = plane_of({1: fakes.Says(0.25), 2: fakes.Says(0.75)}, CANARY)
    answer = plane.answer("m", [fakes.ROW], request_id="r")
    assert (answer.version, answer.predictions.labels.tolist()) == (2, ["yes"])
    assert plane.flush(10)
    assert recorded(records, "version", "route", "prediction") == [(2, "canary", "yes"), (1, "shadow", "no")]
    assert records.read("predictions", "m")["features"].null_count() == 1


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), SystemExit(3), MemoryError()])
def test_a_canary_that_raises_is_answered_for_by_the_champion(plane_of, records, error):
    plane = plane_of({1: fakes.Says(0.25), 2: fakes.Raises(error)}, CANARY)
    answer = plane.answer("m", [fakes.ROW], request_id="r")
    assert (answer.version, answer.predictions.labels.tolist()) == (1, ["no"])
    assert plane.flush(10)
    assert recorded(records, "version", "route", "status") == [(2, "canary", "error"), (1, "champion", "ok")]
    assert type(error).__name__ in records.read("predictions", "m")["error"][0]


def test_a_champion_that_fails_is_an_error_that_says_so_and_is_recorded(plane_of, records):
    plane = plane_of({1: fakes.Raises(), 2: fakes.Says(0.5)}, SHADOW)
    with pytest.raises(PredictionFailed, match=r"version 1 of model 'm'.*ZeroDivisionError") as caught:
        plane.answer("m", [fakes.ROW], request_id="r")
    assert caught.value.http_status == 500
    assert plane.flush(10)
    assert recorded(records, "version", "route", "status", "error") == [
        (1, "champion", "error", "ZeroDivisionError: by zero"),
        (2, "shadow", "ok", None),
    ]


def test_when_both_fail_both_failures_are_recorded(plane_of, records):
    plane = plane_of({1: fakes.Raises(), 2: fakes.Raises()}, CANARY)
    with pytest.raises(PredictionFailed, match="version 1"):
        plane.answer("m", [fakes.ROW], request_id="r")
    assert recorded(records, "version", "route", "status") == [(2, "canary", "error"), (1, "champion", "error")]


def test_a_key_given_with_the_request_counts_for_rows_without_their_own(plane_of, records):
    plane = plane_of({1: fakes.Says(0.25)}, key_column="customer")
    plane.answer("m", [{**fakes.ROW, "customer": "own"}, fakes.ROW], request_id="r", key="given")
    assert recorded(records, "key") == [("own",), ("given",)]


def test_a_champion_that_was_replaced_still_answers_for_the_canary_that_fails(plane_of, records):
    late = FailsLate()
    plane = plane_of({1: fakes.Says(0.25), 2: late, 3: fakes.Says(0.75)}, CANARY)
    client, answers = waiting_for(plane, late)
    plane.switch(Route(model="m", generation=3, champion=3))
    late.go.set()
    client.join(10)
    assert answers[0].version == 1
    assert recorded(records, "version", "route", "status") == [(2, "canary", "error"), (1, "champion", "ok")]
