import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.errors import Conflict
from homeostat.core.records import Route
from homeostat.serve.router import choose, position

ROUTE = Route(model="m", generation=1, champion=1, canary=2, canary_percent=10.0)
keys = st.none() | st.text(max_size=20)


def share(route, n=20_000):
    return sum(choose(route, request_id="r", key=str(k)).role == "canary" for k in range(n)) / n


@pytest.mark.parametrize("percent", [0.5, 10.0, 50.0, 99.0])
@pytest.mark.parametrize("canary", [2, 3])
def test_the_share_of_keys_is_the_percentage_within_binomial_limits(percent, canary):
    n, p = 20_000, percent / 100
    route = replace(ROUTE, canary=canary, canary_percent=percent)
    assert abs(share(route, n) - p) < 4 * math.sqrt(p * (1 - p) / n)


def test_without_a_key_the_request_id_decides_in_the_same_shares():
    n = 20_000
    found = sum(choose(ROUTE, request_id=f"{k:032x}").role == "canary" for k in range(n)) / n
    assert abs(found - 0.1) < 4 * math.sqrt(0.09 / n)


@given(keys, st.text(max_size=20), st.floats(0, 100), st.floats(0, 100))
def test_raising_the_percentage_keeps_those_who_are_in(key, request_id, one, other):
    low, high = sorted((one, other))
    if choose(replace(ROUTE, canary_percent=low), request_id=request_id, key=key).role == "canary":
        assert choose(replace(ROUTE, canary_percent=high), request_id=request_id, key=key).role == "canary"


@given(st.text(max_size=20), st.text(), st.text(), st.integers(1, 100), st.none() | st.just(3))
def test_a_key_meets_the_same_side_whatever_the_request_generation_or_shadow(key, one, other, generation, shadow):
    first = choose(ROUTE, request_id=one, key=key)
    again = choose(replace(ROUTE, generation=generation, shadow=shadow), request_id=other, key=key)
    assert (first.answering, first.role) == (again.answering, again.role)


@given(keys, st.text(max_size=20))
def test_zero_is_nobody_and_a_hundred_everybody(key, request_id):
    nobody = choose(replace(ROUTE, canary_percent=0.0), request_id=request_id, key=key)
    everybody = choose(replace(ROUTE, canary_percent=100.0), request_id=request_id, key=key)
    assert (nobody.answering, nobody.role, nobody.shadows) == (1, "champion", ())
    assert (everybody.answering, everybody.role, everybody.shadows) == (2, "canary", (1,))


def test_another_canary_draws_its_share_anew():
    def members(canary):
        route = replace(ROUTE, canary=canary, canary_percent=50.0)
        return {k for k in range(1000) if choose(route, request_id="r", key=str(k)).role == "canary"}

    assert 150 < len(members(2) & members(3)) < 350


def test_a_key_and_a_request_id_of_the_same_text_are_drawn_apart():
    sides = {(choose(ROUTE, request_id=str(k)).role, choose(ROUTE, request_id="", key=str(k)).role) for k in range(500)}
    assert ("canary", "champion") in sides
    assert ("champion", "canary") in sides


def test_the_shadow_sees_what_the_champion_answers():
    route = Route(model="m", generation=1, champion=1, shadow=2)
    choice = choose(route, request_id="r")
    assert (choice.answering, choice.role, choice.shadows) == (1, "champion", (2,))


def test_in_the_canary_s_role_the_champion_comes_first_among_the_shadows():
    route = replace(ROUTE, canary_percent=100.0, shadow=3)
    assert choose(route, request_id="r").shadows == (1, 3)


def test_a_version_is_never_its_own_shadow():
    assert choose(Route(model="m", generation=1, champion=1, shadow=1), request_id="r").shadows == ()
    route = replace(ROUTE, canary_percent=100.0, shadow=2)
    assert choose(route, request_id="r").shadows == (1,)


def test_a_model_without_a_champion_says_so():
    with pytest.raises(Conflict, match="no champion"):
        choose(Route(model="m", generation=1, champion=None), request_id="r")


@given(st.text(), st.integers(), st.text())
def test_positions_stay_below_a_hundred(model, canary, sticky):
    assert 0.0 <= position(model, canary, sticky) < 100.0
