from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.core.columns import Roles
from homeostat.core.errors import InvalidInput, NotEnoughData
from homeostat.data.split import Split, refuse_leaks, split

START = datetime(2024, 1, 1, tzinfo=UTC)


def frame_of(instants, groups):
    times = [None if n is None else START + timedelta(hours=n) for n in instants]
    return pl.DataFrame(
        {"row": range(len(times)), "t": times, "g": groups[: len(times)], "y": [0] * len(times)},
        schema_overrides={"t": pl.Datetime("us", "UTC")},
    )


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.none() | st.integers(0, 12), min_size=1, max_size=60),
    st.lists(st.none() | st.integers(0, 6), min_size=60, max_size=60),
    st.floats(0.05, 0.95),
    st.integers(0, 5),
    st.sampled_from(["time", "key", "random", "rows"]),
)
def test_every_row_is_on_one_side_in_order_and_groups_stay_whole(instants, groups, share, seed, way):
    frame = frame_of(instants, groups)
    roles = Roles(target="y", time="t" if way == "time" else None, key=("g",) if way == "key" else ())
    if way == "rows":
        frame = frame.drop("row", "t")
    try:
        done = split(frame, roles=roles, test_share=share, seed=seed)
    except NotEnoughData:
        distinct = {"time": frame["t"].drop_nulls() if way == "time" else None, "key": frame["g"]}.get(way)
        assert (
            way == "rows"
            or frame.height <= 2 / min(share, 1 - share)
            or distinct.n_unique() <= 2 / min(share, 1 - share)
        )
        return
    assert done.train.height
    assert done.test.height
    whole = pl.concat([done.train, done.test])
    assert whole.sort(whole.columns).equals(frame.sort(frame.columns))
    if way == "time":
        last = done.train["t"].max()
        assert last is None or last < done.test["t"].min()
        assert done.test["t"].null_count() == 0
    if way == "key":
        assert not set(done.train["g"].to_list()) & set(done.test["g"].to_list())
    if way == "rows":
        assert done.test.join(done.train, on=frame.columns, how="semi", nulls_equal=True).is_empty()
    again = split(frame, roles=roles, test_share=share, seed=seed)
    assert again.test.equals(done.test)
    assert again.train.equals(done.train)


@pytest.mark.parametrize("roles", [Roles(target="y"), Roles(target="y", key=("row",)), Roles(target="y", time="t")])
def test_the_share_is_kept_where_it_can_be(roles):
    frame = frame_of(list(range(1000)), list(range(1000)))
    done = split(frame, roles=roles, test_share=0.2, seed=1)
    assert done.test.height == pytest.approx(200, abs=1)


def test_another_seed_draws_other_rows():
    frame = frame_of([None] * 100, list(range(100)))
    first, second = (split(frame, roles=Roles(target="y"), test_share=0.2, seed=seed).test for seed in (1, 2))
    assert not first.equals(second)


def test_the_newest_rows_are_the_test_whatever_their_order():
    done = split(frame_of([3, 1, 2, 0, 4], [0] * 5), roles=Roles(target="y", time="t"), test_share=0.4, seed=0)
    assert done.train["row"].to_list() == [3, 1, 2]
    assert done.test["row"].to_list() == [0, 4]
    assert "'t' from 2024-01-01 03:00" in done.how


@pytest.mark.parametrize("instants", [[5] * 10, [None] * 10, [1]])
def test_one_instant_cannot_be_divided(instants):
    with pytest.raises(NotEnoughData, match="cannot be divided by time") as caught:
        split(frame_of(instants, [0] * 10), roles=Roles(target="y", time="t"), test_share=0.2, seed=0)
    assert caught.value.hint


def table(start, rows=50):
    numbers = range(start, start + rows)
    return pl.DataFrame({"id": numbers, "x": [n * 7919 % 101 for n in numbers], "y": [n % 2 for n in numbers]})


def test_sound_sides_pass():
    refuse_leaks(Split(train=table(0), test=table(50), how=""), Roles(target="y", key=("id",)))
    whole = pl.concat([table(0).drop("id")] * 3)
    refuse_leaks(split(whole, roles=Roles(target="y"), test_share=0.3, seed=0), Roles(target="y"))


@pytest.mark.parametrize("roles", [Roles(target="y"), Roles(target="y", key=("id",)), Roles(target="y", time="x")])
def test_a_row_on_both_sides_is_refused(roles):
    planted = pl.concat([table(50), table(7, 1)])
    with pytest.raises(InvalidInput, match="1 of 51 test"):
        refuse_leaks(Split(train=table(0), test=planted, how=""), roles)


@pytest.mark.parametrize(
    "leak",
    [
        pl.col("y"),
        pl.col("y") * 2 - 1,
        pl.when(pl.col("y") == 1).then(pl.lit("yes")).otherwise(pl.lit("no")),
        pl.when(pl.col("id") > 3).then(pl.col("y").cast(pl.Float64)),
    ],
)
def test_the_target_under_another_name_is_refused(leak):
    roles = Roles(target="y", key=("id",))
    sides = Split(train=table(0).with_columns(leak=leak), test=table(50).with_columns(leak=leak), how="")
    with pytest.raises(InvalidInput, match="feature 'leak' is the target 'y'") as caught:
        refuse_leaks(sides, roles)
    assert "exclude" in caught.value.hint
    refuse_leaks(sides, Roles(target="y", key=("id",), exclude=("leak",)))


def test_features_of_a_number_with_as_many_values_are_no_leak_by_chance():
    frame = pl.DataFrame({"x": range(100), "y": [n * 7919 % 10_007 for n in range(100)]})
    refuse_leaks(Split(train=frame.head(80), test=frame.tail(20), how=""), Roles(target="y"))
    rescaled = frame.with_columns(cents=pl.col("y") * -100.0)
    with pytest.raises(InvalidInput, match="feature 'cents'"):
        refuse_leaks(Split(train=rescaled.head(80), test=rescaled.tail(20), how=""), Roles(target="y"))
