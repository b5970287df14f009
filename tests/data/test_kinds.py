import random
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest

from homeostat.core.columns import Kind, Task
from homeostat.core.errors import InvalidInput
from homeostat.data.kinds import infer_key, infer_kinds, infer_task, infer_time

WORDS = [f"word{n} and {n * 7919 % 100}" for n in range(3000)]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, None], Kind.INTEGER),
        ([0, 1], Kind.INTEGER),
        ([1.0, 2.0], Kind.FLOAT),
        ([True, None], Kind.BOOLEAN),
        (["True", "false", None], Kind.BOOLEAN),
        ([date(2020, 1, 1)], Kind.DATETIME),
        ([datetime(2020, 1, 1, tzinfo=UTC)], Kind.DATETIME),
        ([timedelta(1)], Kind.FLOAT),
        ([time(1)], Kind.CATEGORY),
        ([None, None], Kind.CATEGORY),
        (["a", "b", "a"], Kind.CATEGORY),
        (["2020-01-01", "2020-01-02"], Kind.DATETIME),
        (["1", "NA", "2"], Kind.INTEGER),
        (["1.5", "NA", "2"], Kind.FLOAT),
        (["01", "NA", "02"], Kind.CATEGORY),
        (["1", "x", "2"], Kind.CATEGORY),
        (["NA", "?"], Kind.CATEGORY),
        (["", ""], Kind.CATEGORY),
        (WORDS, Kind.TEXT),
        (["x" * 200, "y" * 200] * 10, Kind.TEXT),
        (WORDS[:400] * 20, Kind.CATEGORY),
    ],
)
def test_the_kind_follows_from_the_values(values, kind):
    assert infer_kinds(pl.DataFrame({"x": values})) == {"x": kind}


def test_integers_beyond_64_bits_are_numbers_with_rounding():
    frame = pl.DataFrame({"x": [2**64 - 1]}, schema={"x": pl.UInt64})
    assert infer_kinds(frame) == {"x": Kind.FLOAT}


def test_an_override_wins_and_must_name_a_column():
    frame = pl.DataFrame({"store": [1, 2]})
    assert infer_kinds(frame, {"store": Kind.CATEGORY}) == {"store": Kind.CATEGORY}
    with pytest.raises(InvalidInput, match="'stroe'") as caught:
        infer_kinds(frame, {"stroe": Kind.CATEGORY})
    assert caught.value.hint == "did you mean 'store'?"


def test_nested_columns_are_refused_by_name():
    with pytest.raises(InvalidInput, match="column 'x' holds List"):
        infer_kinds(pl.DataFrame({"x": [[1, 2]]}))


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ([0, 1] * 30, Task.BINARY),
        ([1.0, 2.0, None, float("nan")] * 30, Task.BINARY),
        (["yes", "no"] * 30, Task.BINARY),
        ([True, False] * 30, Task.BINARY),
        (["a", "b", "c"] * 30, Task.MULTICLASS),
        ([1, 2, 3] * 30, Task.MULTICLASS),
        (list(range(90)), Task.REGRESSION),
        ([x / 7 for x in range(90)], Task.REGRESSION),
        ([0.5, 1.5, 2.5] * 30, Task.REGRESSION),
    ],
)
def test_the_task_follows_from_the_target(values, task):
    assert infer_task(pl.Series("y", values, strict=False)) is task


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1, 1, None], "only the value 1"),
        ([None, None], "no values"),
        (WORDS, "3,000 different texts"),
        ([datetime(2020, 1, n, tzinfo=UTC) for n in range(1, 20)], "date or time"),
    ],
)
def test_a_target_that_cannot_be_predicted_is_refused(values, told):
    with pytest.raises(InvalidInput, match=told) as caught:
        infer_task(pl.Series("y", values))
    assert caught.value.hint


def test_the_time_is_the_dates_in_order_before_those_by_name():
    days = [f"2020-01-{n:02}" for n in range(1, 29)]
    shuffled = random.Random(0).sample(days, len(days))
    frame = pl.DataFrame({"created": shuffled, "day": days, "with_gaps": [None, *days[1:]]})
    kinds = infer_kinds(frame)
    assert infer_time(frame, kinds) == "day"
    assert infer_time(frame.drop("day"), kinds) == "created"
    assert infer_time(frame.select("with_gaps"), kinds) is None


def test_a_key_is_named_like_one_and_unique():
    frame = pl.DataFrame({"paid": [1, 2, 3], "order_id": [7, 8, 8], "customerId": ["a", "b", "c"]})
    assert infer_key(frame, infer_kinds(frame)) == "customerId"
    assert infer_key(frame.drop("customerId"), infer_kinds(frame)) is None
