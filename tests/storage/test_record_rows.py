"""One row as a line of a segment, and back; what is no row is refused before anything is written."""

from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest

from homeostat.core.errors import InvalidInput
from homeostat.storage.record_rows import (
    SCHEMAS,
    columns_of,
    decoded,
    identity_of,
    kept_schema_of,
    line_of,
    model_of,
    rows_of,
)
from homeostat.testing.contracts.records import NOW, label, prediction

MOMENT = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def read(kind, *rows):
    return rows_of(kind, [line_of(kind, row, seq=seq) for seq, row in enumerate(rows)])


def test_every_column_comes_back_as_it_was_written():
    row = {
        "request_id": "r\u2028\n1",
        "row": 2**53 + 1,
        "key": "",
        "received": MOMENT,
        "event_time": MOMENT.astimezone(timezone(timedelta(hours=5, minutes=45))),
        "version": 3,
        "route": "canary",
        "status": "ok",
        "latency_ms": 0.1,
        "features": {"city": "Köln", "x": None},
        "prediction": "yes",
        "scores": [0.1, 0.9],
        "error": None,
        "caller": "shop",
        "trace": "0af7",
        "sample": 0.25,
        "params": "{}",
    }
    assert set(row) == set(SCHEMAS["predictions"])
    found = read("predictions", {"model": "m", **row})
    assert dict(found.schema) == kept_schema_of("predictions")
    texts = {"features": '{"city":"Köln","x":null}', "prediction": '"yes"', "event_time": MOMENT}
    assert found.row(0, named=True) == {"seq": 0, **row, **texts}


def test_columns_that_a_row_does_not_have_are_null():
    found = read("labels", label("l1"))
    assert found.row(0, named=True) == {
        "seq": 0,
        "request_id": "r1",
        "row": 0,
        "key": None,
        "value": "1",
        "groups": None,
        "received": NOW,
        "event_time": None,
        "label_id": "l1",
    }


@pytest.mark.parametrize(
    ("value", "kept"), [(None, None), (False, "false"), (0, "0"), (1.0, "1.0"), ("null", '"null"'), ("1", '"1"')]
)
def test_a_value_keeps_its_type(value, kept):
    assert read("labels", label("l1", value=value))["value"].to_list() == [kept]


def test_no_lines_are_a_table_without_rows():
    found = rows_of("labels", [])
    assert (found.height, dict(found.schema)) == (0, kept_schema_of("labels"))


@pytest.mark.parametrize(
    ("kind", "row", "says"),
    [
        ("guesses", label("l1"), "no record of 'guesses'"),
        ("labels", label("l1", route="champion"), r"no column \['route'\]"),
        ("labels", label("l1", seq=7), r"no column \['seq'\]"),
        ("labels", label("l1", received=None), "needs the time at which it was received"),
        ("labels", label("l1", received=NOW.replace(tzinfo=None)), "has no time zone"),
        ("predictions", prediction("r1", event_time=NOW.replace(tzinfo=None)), "has no time zone"),
    ],
)
def test_what_is_no_row_of_its_kind_is_refused(kind, row, says):
    with pytest.raises(InvalidInput, match=says):
        line_of(kind, row, seq=0)


def test_a_row_that_was_written_is_not_changed():
    row = prediction("r1", features={"x": 1})
    before = dict(row)
    line_of("predictions", row, seq=5)
    assert row == before


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../m", "a/b", "a\\b", "a\0", "a\n", "1a", "-a", "a" * 101, "ü", "a b", None, 1, b"a"]
)
def test_a_name_that_is_no_folder_s_is_refused(name):
    with pytest.raises(InvalidInput, match="is not a model's name"):
        model_of(name)


def test_columns_of_an_unknown_kind_are_refused():
    assert "model" in columns_of("labels")
    with pytest.raises(InvalidInput) as caught:
        columns_of("../labels")
    assert caught.value.hint == "known: predictions, labels"


def shown(kind, *rows):
    return read(kind, *rows).unique(identity_of(kind), keep="first", maintain_order=True)["seq"].to_list()


def test_a_row_written_again_is_shown_once_and_shadows_by_version():
    again = [
        prediction("r1"),
        prediction("r1", prediction=2),  # a retry
        prediction("r1", row=1),
        prediction("r1", route="canary", version=2),
        prediction("r1", route="canary", version=3),  # a retry that another version answered
        prediction("r1", route="shadow", version=2),
        prediction("r1", route="shadow", version=3),
        prediction("r1", route="shadow", version=3),
    ]
    assert shown("predictions", *again) == [0, 2, 3, 5, 6]
    assert shown("labels", label("l1"), label("l2"), label("l1", value=0)) == [0, 1]


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([None, None], [None, None]),
        (["true", None, "false"], [True, None, False]),
        (["1", None, "-2"], [1, None, -2]),
        (["1", "2.5"], [1.0, 2.5]),
        (["1e3", "1"], [1000.0, 1.0]),
        (["9223372036854775808", "1"], [9223372036854775808.0, 1.0]),
        (['"a"', '"1"', None], ["a", "1", None]),
        (['"ü\\n"', '""'], ["ü\n", ""]),
    ],
)
def test_values_are_read_as_the_narrowest_type_that_holds_them_all(texts, found):
    read_back = decoded(pl.Series(texts, dtype=pl.String)).to_list()
    assert read_back == found
    assert [type(one) for one in read_back] == [type(one) for one in found]
