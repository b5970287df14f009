"""Labels over HTTP."""

from datetime import UTC, datetime

import pytest
from tests.serve.houses import LABELS, error_of

from homeostat.testing import serving as fakes


def test_labels_are_taken_by_request_id_and_by_key_in_any_order(house):
    body = {
        "labels": [
            {"request_id": "later", "value": "yes"},
            {"request_id": "id0", "row": 3, "value": "no", "time": "2024-03-01T12:00:00+02:00"},
            {"key": 77, "value": "no"},
        ]
    }
    response = house.client.post(LABELS, body)
    assert (response.status_code, response.json()) == (200, {"accepted": 3})
    assert house.labels("request_id", "row", "key", "value") == [
        ("later", 0, None, "yes"),
        ("id0", 3, None, "no"),
        (None, None, "77", "no"),
    ]
    assert house.labels("event_time") == [(None,), (datetime(2024, 3, 1, 10, tzinfo=UTC),), (None,)]


def test_a_corrected_label_comes_after_the_one_that_it_corrects(house):
    for value in ("yes", "no", "yes"):
        assert house.client.post(LABELS, [{"request_id": "r", "value": value}]).json() == {"accepted": 1}
    assert house.labels("value") == [("yes",), ("no",), ("yes",)]


def test_labels_sent_again_under_their_idempotency_key_count_once(house):
    again = {"idempotency-key": "batch-7"}
    body = {"labels": [{"request_id": "a", "value": "yes"}, {"request_id": "a", "value": "yes"}]}
    for _ in range(3):
        assert house.client.post(LABELS, body, headers=again).json() == {"accepted": 2}
    assert house.labels("request_id", "value") == [("a", "yes"), ("a", "yes")]
    other = {"labels": [{"request_id": "a", "value": "no"}]}
    assert house.client.post(LABELS, other, headers=again).json() == {"accepted": 1}
    assert house.labels("value") == [("yes",), ("yes",), ("no",)]


@pytest.mark.parametrize(
    ("label", "field"),
    [
        ({"request_id": "r", "value": "maybe"}, "value"),
        ({"request_id": "r", "value": None}, "value"),
        ({"request_id": "r", "value": 1}, "value"),
        ({"request_id": "r", "value": ["yes"]}, "value"),
        ({"request_id": "r"}, "value"),
        ({"value": "yes"}, "request_id"),
        ({"request_id": 5, "value": "yes"}, "request_id"),
        ({"request_id": "", "value": "yes"}, "request_id"),
        ({"key": {}, "value": "yes"}, "key"),
        ({"request_id": "r", "row": -1, "value": "yes"}, "row"),
        ({"request_id": "r", "row": True, "value": "yes"}, "row"),
        ({"request_id": "r", "row": 2**31, "value": "yes"}, "row"),
        ({"request_id": "r", "value": "yes", "time": "tomorrow"}, "time"),
        ({"request_id": "r", "value": "yes", "time": 5}, "time"),
        ({"request_id": "r", "valeu": "yes", "value": "yes"}, "valeu"),
        pytest.param({"request_id": "r", "value": "yes", "x" * 9_000: 1}, "x" * 100, id="a long name is cut"),
        ("yes", None),
    ],
)
def test_a_label_that_cannot_be_is_named_and_none_of_its_request_is_taken(house, label, field):
    good = {"request_id": "r", "value": "yes"}
    error = error_of(house.client.post(LABELS, {"labels": [good, label]}), 422, "invalid_rows")
    assert [(fault["row"], fault["field"]) for fault in error["fields"]] == [(1, field)]
    assert house.labels("value") == []


@pytest.mark.parametrize("value", ["3", None, True, 10**310])
def test_a_label_of_a_regression_is_a_finite_number(serve, value):
    house = serve({1: fakes.Answers([2.5])}, signature=fakes.REGRESSION)
    error_of(house.client.post(LABELS, {"request_id": "r", "value": value}), 422, "invalid_rows")
    assert house.client.post(LABELS, {"request_id": "r", "value": 3}).status_code == 200
    assert house.labels("value") == [(3,)]


def test_too_many_labels_and_none_are_refused(house):
    label = {"key": 1, "value": "yes"}
    error_of(house.client.post(LABELS, {"labels": [label] * 51}), 422, "invalid_rows")
    error_of(house.client.post(LABELS, {"labels": []}), 422, "invalid_rows")
    error_of(house.client.post(LABELS, {"labels": [label], "more": 1}), 400, "invalid_input")
    error_of(house.client.post(LABELS, {"labels": label}), 400, "invalid_input")
