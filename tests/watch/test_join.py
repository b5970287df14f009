from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.columns import Task
from homeostat.storage.record_rows import schema_of
from homeostat.watch.join import as_truth, join

T0 = datetime(2013, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLASSES = ("no", "yes")


def predictions(*rows: dict) -> pl.DataFrame:
    defaults = {"row": 0, "received": T0, "version": 1, "route": "champion", "status": "ok", "features": "{}"}
    return pl.DataFrame([defaults | {"prediction": "no"} | row for row in rows], schema=schema_of("predictions"))


def labels(*rows: dict) -> pl.DataFrame:
    full = [{"received": T0 + HOUR, "label_id": f"l{i}", "value": "yes"} | row for i, row in enumerate(rows)]
    return pl.DataFrame(full, schema=schema_of("labels"))


def labels_of(predicted, given_labels, **options) -> list:
    joined = join(predicted, given_labels, task=Task.BINARY, classes=CLASSES, **options)
    report = joined.report
    assert report.labels == report.matched + report.superseded + report.unknown + report.unusable
    return joined.frame.sort("request_id", "row")["label"].to_list()


def test_a_label_goes_to_its_request_and_row():
    predicted = predictions({"request_id": "a", "row": 0}, {"request_id": "a", "row": 1}, {"request_id": "b"})
    given_labels = labels({"request_id": "a", "row": 1}, {"request_id": "b", "value": "no"})
    assert labels_of(predicted, given_labels) == [None, "yes", "no"]


def test_the_newest_label_wins_whatever_the_order_it_is_read_in():
    predicted = predictions({"request_id": "a"})
    old, new = {"request_id": "a", "value": "no"}, {"request_id": "a", "received": T0 + 5 * HOUR}
    assert labels_of(predicted, labels(old, new)) == labels_of(predicted, labels(new, old)) == ["yes"]


def test_a_correction_is_not_known_before_it_came():
    predicted = predictions({"request_id": "a"})
    given_labels = labels({"request_id": "a", "value": "no"}, {"request_id": "a", "received": T0 + 5 * HOUR})
    assert labels_of(predicted, given_labels, as_of=T0 + 4 * HOUR) == ["no"]
    assert labels_of(predicted, given_labels, as_of=T0 + 5 * HOUR) == ["yes"]
    assert labels_of(predicted, given_labels, as_of=T0) == [None]


def test_shadows_and_errors_are_no_answers():
    predicted = predictions(
        {"request_id": "a"},
        {"request_id": "a", "route": "shadow", "version": 2},
        {"request_id": "b", "route": "canary", "status": "error", "version": 2},
        {"request_id": "b", "route": "canary", "version": 2},
    )
    joined = join(predicted, labels(), task=Task.BINARY, classes=CLASSES)
    assert joined.frame.select("request_id", "version").rows() == [("a", 1), ("b", 2)]


def test_what_cannot_be_used_is_counted():
    predicted = predictions({"request_id": "a"}, {"request_id": "a"})
    given_labels = labels(
        {"request_id": "a"},
        {"request_id": "a"},
        {"request_id": "nobody"},
        {"request_id": "a", "row": 7},
        {"key": "nobody"},
        {},
        {"request_id": "a", "value": "maybe"},
        {"request_id": "a", "value": None},
    )
    report = join(predicted, given_labels, task=Task.BINARY, classes=CLASSES).report
    assert (report.rows, report.repeated) == (1, 1)
    assert (report.labels, report.matched, report.superseded, report.unknown, report.unusable) == (8, 1, 1, 4, 2)


def test_a_key_means_its_newest_row_before_the_label():
    predicted = predictions(
        {"request_id": "a", "key": "k", "received": T0},
        {"request_id": "b", "key": "k", "received": T0 + 2 * HOUR},
        {"request_id": "c", "key": "other", "received": T0},
    )
    assert labels_of(predicted, labels({"key": "k", "received": T0 + HOUR})) == ["yes", None, None]
    assert labels_of(predicted, labels({"key": "k", "received": T0 + 3 * HOUR})) == [None, "yes", None]


def test_a_key_with_event_times_is_matched_in_event_time():
    month = timedelta(days=30)
    predicted = predictions(
        {"request_id": "jan", "key": "k", "event_time": T0, "received": T0 + 9 * month},
        {"request_id": "feb", "key": "k", "event_time": T0 + month, "received": T0 + 9 * month},
    )
    late = labels({"key": "k", "event_time": T0 + HOUR, "received": T0 + 10 * month})
    assert labels_of(predicted, late) == [None, "yes"]


def test_a_label_that_came_before_its_row_waits_for_it():
    predicted = predictions({"request_id": "a", "key": "k", "received": T0 + 9 * HOUR})
    assert labels_of(predicted, labels({"key": "k"})) == ["yes"]


def test_groups_come_with_labels_or_alone_and_the_newest_are_kept():
    predicted = predictions({"request_id": "a"}, {"request_id": "b", "key": "k"}, {"request_id": "c"})
    given_labels = labels(
        {"request_id": "a", "groups": '{"sex":"f"}'},
        {"request_id": "a", "value": None, "groups": '{"sex":"m"}', "received": T0 + 2 * HOUR},
        {"key": "k", "value": None, "groups": '{"sex":"f"}'},
        {"request_id": "c", "value": "no"},
    )
    joined = join(predicted, given_labels, task=Task.BINARY, classes=CLASSES)
    found = joined.frame.sort("request_id").select("label", "groups").rows()
    assert found == [("yes", '{"sex":"m"}'), (None, '{"sex":"f"}'), ("no", None)]
    assert (joined.report.labels, joined.report.matched, joined.report.unusable) == (2, 2, 0)


def test_time_is_event_time_where_there_is_one():
    predicted = predictions({"request_id": "a", "event_time": T0 + HOUR}, {"request_id": "b"})
    assert join(predicted, labels(), task=Task.BINARY, classes=CLASSES).frame["request_id"].to_list() == ["b", "a"]


@pytest.mark.parametrize(
    ("values", "classes", "wanted"),
    [
        (["1", "0", "junk"], [0, 1], [1, 0, None]),
        ([1.0, 0.0, 0.5], [0, 1], [1, 0, None]),
        (["True", "false", "1"], [False, True], [True, False, None]),
        ([2, 12, 99], ["2", "12"], ["2", "12", None]),
        ([None, None], ["a"], [None, None]),
    ],
)
def test_labels_become_classes_of_the_signature(values, classes, wanted):
    assert as_truth(pl.Series("value", values), task=Task.BINARY, classes=classes).to_list() == wanted


def test_regression_labels_become_finite_numbers():
    found = as_truth(pl.Series("value", ["1.5", "inf", "nan", "junk", None]), task=Task.REGRESSION, classes=())
    assert found.to_list() == [1.5, None, None, None, None]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "zz", None]), st.sampled_from(["k", "q", None]), st.integers(0, 9), st.booleans()
    ),
    max_size=15,
)


@given(EVENTS, EVENTS)
def test_nothing_is_lost_or_doubled_whatever_comes(answers, truths):
    predicted = predictions(
        *({"request_id": r or "n", "key": k, "received": T0 + h * HOUR, "row": h} for r, k, h, _ in answers)
    )
    given_labels = labels(
        *(
            {"request_id": r, "key": k, "received": T0 + h * HOUR, "row": h, "event_time": T0 if e else None}
            for r, k, h, e in truths
        )
    )
    joined = join(predicted, given_labels, task=Task.BINARY, classes=CLASSES)
    report = joined.report
    assert report.labels == len(truths) == report.matched + report.superseded + report.unknown + report.unusable
    assert len(joined.frame) == report.rows == len({(r or "n", h) for r, _, h, _ in answers})
    assert joined.frame["label"].is_not_null().sum() == report.matched
