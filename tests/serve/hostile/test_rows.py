"""The same wrong rows at every door: refused as the client's mistake, by name, with nothing recorded; and the next request is answered."""

import math

import pytest
from tests.serve.hostile.doors import (
    CITY,
    DOORS,
    GOOD,
    MOST_ROWS,
    TWICE,
    Binary,
    Col,
    N,
    Native,
    Rpc,
    Tensors,
    X,
    others,
)

HUGE = 2**70


def values(column, *given, datatype=None):
    return Col(column.name, list(given), datatype or column.datatype)


# name -> columns, the words that must be told
CASES = {
    "nan": (others(values(X, math.nan, 1.0)), ["x", "finite number"]),
    "infinity": (others(values(X, 1.0, math.inf)), ["x", "finite number"]),
    "minus infinity": (others(values(X, -math.inf, 1.0)), ["x", "finite number"]),
    "null number": (others(values(X, None, 1.0)), ["x", "finite number"]),
    "null integer": (others(values(N, 1, None, datatype="FP64")), ["n", "integer"]),
    "huge integer": (others(values(N, HUGE, 1, datatype="FP64")), ["n", "integer"]),
    "fraction": (others(values(N, 1.5, 1, datatype="FP64")), ["n", "integer"]),
    "text for a number": (others(values(X, "much", "0.5", datatype="BYTES")), ["x", "finite number"]),
    "boolean for a number": (others(values(X, True, False, datatype="BOOL")), ["x", "finite number"]),
    "missing": (others(without="city"), ["'city'", "missing"]),
    "missing number": (others(without="x"), ["'x'", "missing"]),
    "extra": (others(Col("zip", [1, 2], "INT64")), ["'zip'", "no "]),
    "missing and foreign": (
        others(Col("cit", ["Ulm", "Ulm"], "BYTES"), without="city"),
        ["'city'", "missing", "'cit'", "no "],
    ),
    "twice": ((*GOOD, Col(TWICE + "x", [1.0, 2.0], "FP64")), ["twice|different names"]),
    "no rows": (tuple(values(c) for c in GOOD), ["rows"]),
    "too many rows": (
        tuple(Col(c.name, c.values[:1] * (MOST_ROWS + 1), c.datatype) for c in GOOD),
        [str(MOST_ROWS + 1), "max_rows"],
    ),
    "name without end": (others(Col("x" * 20_000, [1, 2], "INT64")), ["'xxx"]),
}
MISTAKES = range(400, 500)


def asked_again(door):
    """The door is still open, and what it says is right."""
    told = door.ask(GOOD)
    assert (told.status, told.values) == (200, [1.25, 2.5]), told.text


@pytest.mark.parametrize("case", CASES)
def test_wrong_rows_are_refused_by_name_and_leave_nothing(hall, door, case):
    columns, words = CASES[case]
    before = hall.recorded()
    told = door.ask(columns)
    assert told.status in MISTAKES, told
    assert len(told.text) < 8000
    for word in words:
        assert any(each in told.text for each in word.split("|")), (word, told.text)
    assert hall.recorded() == before
    asked_again(door)


def test_an_unseen_category_is_answered_and_recorded(hall, door):
    before = hall.recorded()
    told = door.ask(others(values(CITY, "Atlantis", "")))
    assert (told.status, told.values) == (200, [1.25, 2.5])
    assert hall.recorded() == before + 2


def test_the_largest_integers_are_exact(door):
    """Up to 64 bits they are numbers like any other."""
    told = door.ask(others(values(N, 2**53 - 1, -(2**53) + 1), values(X, 0.0, 0.0)))
    assert (told.status, told.values) == (200, [2.0**53 - 1, -(2.0**53) + 1])


def test_an_unknown_model_is_not_found(hall, door):
    before = hall.recorded()
    told = door.ask(GOOD, path=door.unknown)
    assert told.status == 404
    assert "nobody" in told.text
    assert hall.recorded() == before


@pytest.mark.parametrize("name", ["m@champion", "m%40champion", "m%2F..%2Fm", "%00", "x" * 20_000])
@pytest.mark.parametrize("kind", [each for each in DOORS if each is not Rpc and hasattr(each, "version")])
def test_an_alias_is_no_model_here(hall, kind, name):
    told = kind(hall).ask(GOOD, path=kind.unknown.replace("nobody", name))
    assert told.status == 404
    assert len(told.text) < 1000


@pytest.mark.parametrize("version", ["9", "0", "-1", "x", "٣", "1" * 5000, "champion"])
@pytest.mark.parametrize("kind", [Native, Tensors, Binary])
def test_an_unknown_version_is_not_found(hall, kind, version):
    told = kind(hall).ask(GOOD, path=kind.version.replace("9", version))
    assert told.status == 404
    assert "version" in told.text


@pytest.mark.parametrize("version", ["9", "0", "x", "1" * 5000])
def test_an_unknown_version_is_not_found_by_grpc(hall, version):
    told = Rpc(hall).ask(GOOD, model_version=version)
    assert told.status == 404
    assert "version" in told.text


@pytest.mark.parametrize(
    "kind", [each for each in DOORS if each.name in ("native", "oip", "binary", "grpc", "grpc raw")]
)
class TestIds:
    """Requests under an id of the client's."""

    def test_the_same_again_is_answered_the_same_and_recorded_once(self, hall, kind):
        door, mine = kind(hall), f"again-{kind.name.replace(' ', '-')}"
        first, second = door.ask(GOOD, id=mine), door.ask(GOOD, id=mine)
        assert first == second
        assert first.status == 200
        assert hall.recorded(mine) == 2

    def test_another_body_under_the_same_id_is_a_conflict(self, hall, kind):
        door, mine = kind(hall), f"other-{kind.name.replace(' ', '-')}"
        assert door.ask(GOOD, id=mine).status == 200
        told = door.ask(others(values(X, 0.75, 0.5)), id=mine)
        assert told.status == 409
        assert mine in told.text
        assert hall.recorded(mine) == 2

    def test_what_was_refused_may_be_put_right_under_the_same_id(self, hall, kind):
        door, mine = kind(hall), f"right-{kind.name.replace(' ', '-')}"
        assert door.ask(others(without="x"), id=mine).status in MISTAKES
        assert door.ask(GOOD, id=mine).status == 200
        assert hall.recorded(mine) == 2

    @pytest.mark.parametrize("name", ["no id", "x" * 129, "ü", "a\nb", "../x"])
    def test_what_is_no_id_is_refused(self, hall, kind, name):
        before = hall.recorded()
        told = kind(hall).ask(GOOD, id=name)
        assert told.status == 400
        assert "id" in told.text
        assert hall.recorded() == before


@pytest.mark.parametrize("kind", [Tensors, Binary])
@pytest.mark.parametrize(
    ("wanted", "status"), [(["label"], 404), (["predict", "probabilities"], 404), (["predict"] * 2, 400)]
)
def test_an_output_that_is_not_there_is_refused_before_anything_is_recorded(hall, kind, wanted, status):
    before = hall.recorded()
    told = kind(hall).ask(GOOD, outputs=[{"name": name} for name in wanted])
    assert told.status == status
    assert wanted[-1] in told.text
    assert hall.recorded() == before
