import math
import time
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.errors import InvalidRows
from homeostat.serve.table import schema_of
from homeostat.serve.validate import MOST_FIELDS, Validator
from homeostat.train.frames import conform


def column(name, kind, *, nullable=False):
    return Column(name=name, kind=kind, nullable=nullable)


SIGNATURE = Signature(
    task=Task.REGRESSION,
    columns=(
        column("rooms", Kind.INTEGER),
        column("area", Kind.FLOAT, nullable=True),
        column("garden", Kind.BOOLEAN),
        column("city", Kind.CATEGORY, nullable=True),
        column("built", Kind.DATETIME),
        column("note", Kind.TEXT),
    ),
    target="price",
)
GOOD = {"rooms": 3, "area": 70.5, "garden": True, "city": "Ulm", "built": "1990-01-01", "note": ""}
VALIDATOR = Validator(SIGNATURE, time="sold", key="house", optional=["street"])


def refused(*rows, validator=VALIDATOR):
    with pytest.raises(InvalidRows) as caught:
        validator.read(list(rows))
    assert caught.value.http_status == 422
    return caught.value


def test_rows_become_a_table_in_the_signature_s_order_and_types():
    rows = VALIDATOR.read([dict(reversed(GOOD.items())), {**GOOD, "area": None, "city": None, "rooms": -(2**63)}])
    assert rows.table.frame().schema == pl.Schema(schema_of(SIGNATURE.columns))
    assert rows.table.frame().row(0) == (3, 70.5, True, "Ulm", datetime(1990, 1, 1, tzinfo=UTC), "")
    assert rows.table.frame().row(1)[:4] == (-(2**63), None, True, None)
    assert (rows.keys, rows.times) == ([None, None], [None, None])


def test_the_table_is_what_the_model_s_own_reading_of_it_leaves_as_it_is():
    frame = VALIDATOR.read([GOOD]).table.frame()
    assert conform(frame, SIGNATURE.columns).equals(frame)


def test_keys_and_times_are_taken_from_their_columns():
    rows = VALIDATOR.read(
        [
            {**GOOD, "house": 7, "sold": "2024-01-01T12:00:00.5Z", "street": ["any", "thing"]},
            {**GOOD, "house": "x", "sold": None},
        ]
    )
    assert rows.keys == ["7", "x"]
    assert rows.times == [datetime(2024, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC), None]
    assert rows.table.frame().columns == list(SIGNATURE.names)


def test_a_key_that_is_a_feature_too_is_both():
    rows = Validator(SIGNATURE, key="city").read([GOOD])
    assert rows.keys == ["Ulm"]
    assert rows.table.frame()["city"].to_list() == ["Ulm"]


@pytest.mark.parametrize(
    ("field", "given", "taken"),
    [
        ("area", 70, 70.0),
        ("area", 2**70, float(2**70)),
        ("rooms", 3.0, 3),
        ("city", 3, "3"),
        ("city", True, "true"),
        ("built", "2024-03-01T12:00:00+02:00", datetime(2024, 3, 1, 10, tzinfo=UTC)),
        ("built", "2024-03-01 12:00", datetime(2024, 3, 1, 12, tzinfo=UTC)),
        ("built", datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
    ],
)
def test_what_is_meant_without_doubt_is_taken(field, given, taken):
    assert VALIDATOR.read([{**GOOD, field: given}]).table.frame()[field].to_list() == [taken]


@pytest.mark.parametrize(
    ("field", "value", "expected", "found"),
    [
        ("rooms", "3", "an integer of 64 bits", 'the string "3"'),
        ("rooms", 3.5, "an integer of 64 bits", "the number 3.5"),
        ("rooms", 2**63, "an integer of 64 bits", "the number 9223372036854775808"),
        ("rooms", True, "an integer of 64 bits", "true"),
        ("rooms", None, "an integer of 64 bits", "null"),
        ("rooms", math.inf, "an integer of 64 bits", "the number inf"),
        ("area", "70.5", "a finite number or null", 'the string "70.5"'),
        ("area", math.nan, "a finite number or null", "the number nan"),
        ("area", -math.inf, "a finite number or null", "the number -inf"),
        ("area", 10**400, "a finite number or null", "the number 1" + "0" * 39),
        ("area", False, "a finite number or null", "false"),
        ("area", [1.0], "a finite number or null", "a list"),
        ("garden", 1, "true or false", "the number 1"),
        ("garden", "true", "true or false", 'the string "true"'),
        ("city", 1.5, "a string or null", "the number 1.5"),
        ("city", {"name": "Ulm"}, "a string or null", "an object"),
        ("built", "yesterday", "a time in ISO 8601", 'the string "yesterday"'),
        ("built", 1700000000, "a time in ISO 8601", "the number 1700000000"),
        ("note", 5, "a string", "the number 5"),
        ("note", None, "a string", "null"),
        ("sold", "soon", "a time in ISO 8601 or null", 'the string "soon"'),
        ("house", ["a"], "a string or a number", "a list"),
    ],
)
def test_a_value_that_does_not_fit_is_named(field, value, expected, found):
    error = refused(GOOD, {**GOOD, field: value})
    assert error.fields == [{"row": 1, "field": field, "expected": expected, "found": found}]
    assert f"row 1 of 2: field '{field}'" in error.message


def test_a_missing_field_is_named_even_where_it_may_be_null():
    error = refused({name: value for name, value in GOOD.items() if name not in ("area", "rooms")})
    assert [fault["field"] for fault in error.fields] == ["area", "rooms"]
    assert "missing" in error.fields[0]["found"]


def test_an_extra_field_is_named_with_what_it_may_have_meant():
    error = refused({**{k: v for k, v in GOOD.items() if k != "garden"}, "gardn": True})
    assert [fault["field"] for fault in error.fields] == ["garden", "gardn"]
    assert error.fields[1]["expected"] == "no such column; did you mean 'garden'?"


def test_the_target_does_not_pass_as_a_feature():
    assert refused({**GOOD, "price": 1.0}).fields[0]["field"] == "price"


@pytest.mark.parametrize("row", [None, 3, "x", [1, 2]])
def test_a_row_that_is_no_object_is_named(row):
    error = refused(GOOD, row)
    assert error.fields[0]["row"] == 1
    assert error.fields[0]["expected"] == "an object of features"


def test_no_rows_are_refused():
    assert "no rows" in refused().message


def test_more_rows_than_allowed_are_refused():
    validator = Validator(SIGNATURE, max_rows=2)
    assert validator.read([GOOD, GOOD]).table.frame().height == 2
    assert "at most 2" in refused(GOOD, GOOD, GOOD, validator=validator).message


def test_of_many_faults_the_first_are_told():
    error = refused(*[{**GOOD, "rooms": "x", "garden": 0, "oops": 1} for _ in range(100)])
    assert len(error.fields) == MOST_FIELDS
    assert "or more" in error.message


def test_a_long_string_is_not_repeated_whole():
    assert len(refused({**GOOD, "rooms": "x" * 10_000}).fields[0]["found"]) < 100


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(json_values | st.dictionaries(st.sampled_from([*GOOD, "sold", "x"]), json_values), max_size=3))
def test_whatever_comes_is_a_table_or_a_refusal_that_names_places(rows):
    try:
        taken = VALIDATOR.read(rows)
    except InvalidRows as error:
        assert error.fields or "no rows" in error.message  # noqa: PT017 - either outcome is right
        return
    assert taken.table.frame().height == len(rows)


@given(st.fixed_dictionaries({name: st.just(value) | json_values for name, value in GOOD.items()}))
def test_whatever_is_taken_has_the_signature_s_types(row):
    try:
        taken = VALIDATOR.read([row])
    except InvalidRows:
        return
    assert taken.table.frame().schema == pl.Schema(schema_of(SIGNATURE.columns))


def test_a_model_without_features_takes_empty_objects():
    validator = Validator(Signature(task=Task.REGRESSION, columns=(), target="y"))
    assert validator.read([{}, {}]).table.frame().height == 2


def test_one_row_takes_well_under_a_millisecond():
    spent = []
    for _ in range(200):
        start = time.perf_counter()
        VALIDATOR.read([GOOD])
        spent.append(time.perf_counter() - start)
    assert sorted(spent)[100] < 0.0005
