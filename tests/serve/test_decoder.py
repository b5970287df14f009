"""The fast way and the thorough way take the same and refuse the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.errors import InvalidInput, InvalidRows
from homeostat.serve.bodies import predict_body
from homeostat.serve.decoder import Decoder
from homeostat.serve.validate import Validator

SIGNATURE = Signature(
    task=Task.REGRESSION,
    columns=(
        Column(name="a float", kind=Kind.FLOAT, nullable=False),
        Column(name="int", kind=Kind.INTEGER, nullable=True),
        Column(name="flag", kind=Kind.BOOLEAN, nullable=True),
        Column(name="city", kind=Kind.CATEGORY, nullable=True),
        Column(name="when", kind=Kind.DATETIME, nullable=True),
    ),
    target="y",
)
OPTIONS = {"time": "at", "key": "who", "optional": ("note",)}
DECODER, VALIDATOR = Decoder(SIGNATURE, **OPTIONS), Validator(SIGNATURE, **OPTIONS)

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["Ulm", "", "2024-01-01", "2024-02-30", "1.5"]),
    st.just([]),
)
GOOD = st.fixed_dictionaries(
    {
        "a float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5),
        "int": st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2.0, -1.0]),
        "flag": st.none() | st.booleans(),
        "city": st.none() | st.text(max_size=4) | st.integers(0, 3),
        "when": st.none() | st.sampled_from(["2024-01-01T10:00:00Z", "2024-01-01"]),
    },
    optional={
        "at": st.sampled_from([None, "2024-03-01"]),
        "who": st.none() | st.integers(0, 9) | st.text(max_size=3),
        "note": VALUES,
    },
)
ANY = st.dictionaries(st.sampled_from(["a float", "int", "flag", "city", "when", "at", "who", "note", "other"]), VALUES)


def thorough(body):
    asked = predict_body(body)
    return VALIDATOR.read(asked.rows), asked


def outcome(read, body):
    """Return what was read, or the words of the refusal."""
    try:
        return read(body), None
    except InvalidInput as error:
        return None, str(error)


@given(
    st.lists(GOOD | ANY, max_size=4), st.sampled_from([{}, {"request_id": "r"}, {"key": 3}, {"key": None}, {"x": 1}])
)
def test_both_ways_take_the_same_and_refuse_the_same(rows, envelope):
    body = json.dumps({"rows": rows, **envelope}).encode()
    wanted, refused = outcome(thorough, body)
    found, also_refused = outcome(DECODER.body, body)
    assert refused == also_refused
    if refused is not None:
        return
    wanted, asked = wanted
    assert found.rows.table.rows() == wanted.table.rows()
    assert [list(map(type, row)) for row in found.rows.table.rows()] == [
        list(map(type, row)) for row in wanted.table.rows()
    ]
    assert (found.rows.keys, found.rows.times) == (wanted.keys, wanted.times)
    assert (found.request_id, found.key) == (asked.request_id, asked.key)
    assert [json.loads(text) for text in found.rows.table.texts()] == [
        json.loads(text) for text in wanted.table.texts()
    ]


@pytest.mark.parametrize(
    "body", [b'{"rows": [{"a float": 1e999}]}', b"\xff", b"[" * 100_000, b"", b"null", b'{"rows": 3}']
)
def test_what_is_no_body_is_refused_by_both(body):
    with pytest.raises(InvalidInput):
        DECODER.body(body)


def test_more_rows_than_allowed_are_refused_fast():
    few = Decoder(SIGNATURE, max_rows=2)
    row = {"a float": 1.0, "int": 1, "flag": True, "city": "x", "when": None}
    assert few.body(json.dumps({"rows": [row] * 2}).encode()).rows.table.height == 2
    with pytest.raises(InvalidInput, match="3 rows in one request"):
        few.body(json.dumps({"rows": [row] * 3}).encode())


@pytest.mark.parametrize("name", ['a "quoted" name', "back\\slash", "a\nline"])
def test_columns_whose_names_need_escapes_are_read(name):
    signature = Signature(task=Task.REGRESSION, columns=(Column(name=name, kind=Kind.FLOAT),), target="y")
    found = Decoder(signature).body(json.dumps({"rows": [{name: 0.5}]}).encode())
    assert found.rows.table.rows() == [(0.5,)]
    with pytest.raises(InvalidRows):
        Decoder(signature).body(json.dumps({"rows": [{name: 0.5, "other": 1}]}).encode())
