import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.errors import Conflict
from homeostat.core.records.routes import Route, Segment, Split
from homeostat.serve.router import arm, choose, position

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


def split_of(**shares):
    return replace(
        ROUTE, canary=None, canary_percent=0.0, split=Split(shares={int(v[1:]): s for v, s in shares.items()})
    )


def answering(route, key):
    return choose(route, request_id="r", key=str(key)).answering


def test_a_split_meets_its_shares_within_binomial_limits():
    n, route = 20_000, split_of(v1=20.0, v2=50.0, v3=30.0)
    found = Counter(answering(route, k) for k in range(n))
    for version, share in route.split.shares.items():
        p = share / 100
        assert abs(found[version] / n - p) < 4 * math.sqrt(p * (1 - p) / n)


@given(st.text(max_size=20), st.floats(0, 100), st.floats(0, 1), st.floats(0, 1))
def test_where_a_share_grows_keys_move_to_that_version_only(key, rest, part, growth):
    before = {1: 100.0 - rest, 2: rest * part, 3: rest * (1 - part)}
    left = rest * growth
    after = {1: 100.0 - left, 2: left * part, 3: left * (1 - part)}
    was, is_ = (arm("m", Split(shares=shares), key) for shares in (before, after))
    assert is_ in (was, 1)


@given(st.text(max_size=20), st.text(), st.text(), st.integers(1, 100))
def test_a_key_stays_in_its_part_of_a_split_whatever_the_request(key, one, other, generation):
    route = split_of(v1=40.0, v3=60.0)
    again = replace(route, generation=generation)
    assert choose(route, request_id=one, key=key) == choose(again, request_id=other, key=key)


@given(st.text(max_size=20))
def test_a_version_with_no_share_gets_nobody(key):
    assert answering(split_of(v1=0.0, v2=100.0), key) == 2


def test_the_champion_s_part_of_a_split_is_in_the_champion_s_role_and_others_fall_back_on_it():
    roles = {
        (c.answering, c.role, c.by) for c in (choose(split_of(v1=50.0, v2=50.0), request_id=str(k)) for k in range(99))
    }
    assert roles == {(1, "champion", "split"), (2, "canary", "split")}


@given(keys, st.text(max_size=20), st.sampled_from(["north", "south", None]))
def test_a_segment_takes_what_fits_and_nothing_else(key, request_id, region):
    route = replace(ROUTE, canary_percent=0.0, segments=(Segment(when={"region": "north"}, version=3),))
    found = choose(route, request_id=request_id, key=key, features={"region": region})
    assert (found.answering, found.by) == ((3, "segment") if region == "north" else (1, "champion"))


def test_segments_are_asked_in_their_order_and_by_key_and_all_values_must_fit():
    route = replace(
        ROUTE,
        canary_percent=100.0,
        segments=(
            Segment(when={"key": "anna"}, version=4),
            Segment(when={"region": "north", "age": 3}, version=5),
            Segment(when={"region": "north"}, version=6),
        ),
    )
    for key, features, version in (
        ("anna", {"region": "north"}, 4),
        ("bob", {"region": "north", "age": 3}, 5),
        ("bob", {"region": "north", "age": 4}, 6),
        ("bob", {"region": "north"}, 6),
        ("bob", {}, 2),
    ):
        assert choose(route, request_id="r", key=key, features=features).answering == version


def test_true_is_not_one():
    route = replace(ROUTE, canary_percent=0.0, segments=(Segment(when={"x": 1}, version=3),))
    assert choose(route, request_id="r", features={"x": True}).answering == 1
    assert choose(route, request_id="r", features={"x": 1.0}).answering == 3


@given(st.sets(st.integers(1, 6), min_size=2), st.integers(1, 6), st.integers(1, 6))
def test_a_version_that_is_taken_out_is_in_no_rule_and_the_rest_still_adds_up(arms, out, canary):
    route = Route(
        model="m",
        generation=1,
        champion=9,
        canary=canary,
        canary_percent=5.0,
        shadow=out,
        segments=tuple(Segment(when={"key": str(v)}, version=v) for v in arms),
        split=Split(shares=dict.fromkeys(arms, 100.0 / len(arms))),
    )
    left = route.without(out)
    assert out not in left.versions
    assert set(left.versions) | {out} >= arms - {out} if len(arms - {out}) > 1 else True


@pytest.mark.parametrize("shares", [{1: 100.0}, {1: 50.0, 2: 49.0}, {1: 110.0, 2: -10.0}])
def test_shares_that_are_none_do_not_construct(shares):
    with pytest.raises(ValueError, match="split"):
        Split(shares=shares)
