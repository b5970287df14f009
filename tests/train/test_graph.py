from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.errors import InvalidInput
from homeostat.train.graph import Step, digest, plan

ROWS = Step(name="rows", code="c1", data={"flights": "d1"}, params={"window": "56d"})
FEATURES = Step(name="features", code="c2", inputs=("rows",))
TRAIN = Step(name="train", code="c3", environment="e1", inputs=("features",), params={"depth": 3})
OTHER = Step(name="other", code="c4")
STEPS = [TRAIN, OTHER, FEATURES, ROWS]


def _known(steps=STEPS):
    return {planned.step.name: [planned.recipe] for planned in plan(steps, {})}


def _result(steps, known):
    return {planned.step.name: (planned.hit, planned.reason) for planned in plan(steps, known)}


def test_each_step_follows_its_inputs_and_nothing_is_known_at_first():
    planned = plan(STEPS, {})
    names = [one.step.name for one in planned]
    assert names.index("rows") < names.index("features") < names.index("train")
    assert {(one.hit, one.reason) for one in planned} == {(False, "never run before")}


def test_nothing_changed_is_a_hit_everywhere():
    assert set(_result(list(reversed(STEPS)), _known()).values()) == {(True, "nothing changed")}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"params": {"window": "28d"}}, "params changed: window 56d -> 28d"),
        ({"params": {}}, "params removed: window"),
        ({"params": {"window": "56d", "cap": 5}}, "params added: cap 5"),
        ({"data": {"flights": "d2"}}, "data changed: flights"),
        ({"code": "c9"}, "code changed"),
        ({"environment": "e9"}, "environment changed"),
        ({"code": "c9", "data": {"flights": "d2"}}, "data changed: flights; code changed"),
    ],
)
def test_a_change_reaches_exactly_what_follows_and_is_named(change, reason):
    changed = [replace(ROWS, **change), FEATURES, TRAIN, OTHER]
    assert _result(changed, _known()) == {
        "rows": (False, reason),
        "features": (False, "input changed: rows"),
        "train": (False, "input changed: features"),
        "other": (True, "nothing changed"),
    }


def test_an_older_result_is_still_a_hit():
    first, second = _known([ROWS])["rows"], _known([replace(ROWS, code="c9")])["rows"]
    assert _result([ROWS], {"rows": second + first}) == {"rows": (True, "nothing changed")}


def test_a_miss_tells_what_differs_from_the_nearest_that_is_known():
    refit = replace(ROWS, data={"flights": "all of them", "weather": "all of it"})
    known = {"rows": [*_known([refit])["rows"], *_known([ROWS])["rows"]]}
    assert _result([replace(ROWS, code="c9")], known)["rows"] == (False, "code changed")


def test_long_values_are_shortened_in_reasons():
    reason = _result([replace(ROWS, params={"window": "x" * 500})], _known())["rows"][1]
    assert len(reason) < 120


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([ROWS, ROWS], "'rows' stands twice"),
        ([replace(FEATURES, inputs=("row",))], "reads 'row', which is no step"),
        ([replace(ROWS, inputs=("features",)), FEATURES], "in a circle: features, rows"),
        ([replace(ROWS, inputs=("rows",))], "in a circle: rows"),
    ],
)
def test_a_graph_that_is_none_is_refused(steps, says):
    with pytest.raises(InvalidInput, match=says):
        plan(steps, {})


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.text(max_size=4), values, max_size=4), st.dictionaries(st.text(max_size=4), values, max_size=4)
)
def test_keys_are_equal_exactly_where_params_are(first, second):
    keys = [plan([replace(ROWS, params=params)], {})[0].key for params in (first, second)]
    assert (keys[0] == keys[1]) == (_typed(first) == _typed(second))


def _typed(value):
    """1 and True are equal to Python and not to JSON."""
    if isinstance(value, dict):
        return {key: _typed(inner) for key, inner in value.items()}
    return [_typed(inner) for inner in value] if isinstance(value, list) else (type(value), value)


def test_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": [1], "b": None}) == digest({"b": None, "a": [1]}) != digest({"a": [1], "b": 0})
