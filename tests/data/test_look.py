from pathlib import Path

import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Kind, Task
from homeostat.core.errors import InvalidInput, NotEnoughData
from homeostat.data.look import look
from homeostat.data.sources import read

SHARED = Path(__file__).parents[3] / "shared" / "data"
REAL = {
    "adult.csv.gz": ("income", Task.BINARY, None, (), ()),
    "bike_sharing_hour.csv.gz": ("cnt", Task.REGRESSION, "dteday", ("instant",), ("casual", "registered")),
    "elec2.csv.gz": ("class", Task.BINARY, None, (), ()),
    "employment_MA_2015_2018.parquet": (
        "employed", Task.BINARY, None, ("id",), ("prediction", "predicted_probability"),
    ),
    "german_credit.csv.gz": ("class", Task.BINARY, None, (), ()),
    "insects_gradual_balanced.csv.gz": ("class", Task.MULTICLASS, None, (), ()),
    "sea_0123_abrupt_noise02.csv.gz": ("class", Task.BINARY, None, (), ()),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_data_are_understood(name):
    if not SHARED.is_dir():
        pytest.skip("no ../shared/data here")
    target, task, time, key, exclude = REAL[name]
    found = look(read(name, root=SHARED), target=target)
    assert (found.task, found.time, found.key, found.exclude) == (task, time, key, exclude)
    for column in exclude:
        assert any(note.startswith(f"'{column}' is left out: ") for note in found.notes)


def table(rows=100, **columns):
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=rows), rng.integers(0, 50, rows)
    return pl.DataFrame({"x": x, "z": z, "y": (x + rng.normal(size=rows) > 0).astype(int), **columns})


def test_ordinary_data_leave_nothing_out():
    found = look(table(), target="y")
    assert found.exclude == ()
    assert found.kinds == {"x": Kind.FLOAT, "z": Kind.INTEGER, "y": Kind.INTEGER}


def test_an_absent_target_is_named_with_near_names():
    with pytest.raises(InvalidInput, match="no column 'sold' for the target") as caught:
        look(table(sold_=[1, 2] * 50), target="sold")
    assert caught.value.hint == "did you mean 'sold_'?"


def test_an_absent_time_is_named():
    with pytest.raises(InvalidInput, match="no column 'when' for the time"):
        look(table(), target="y", time="when")


def test_a_time_that_is_none_is_refused():
    with pytest.raises(InvalidInput, match="column 'x' is datetime, but 100 of 100"):
        look(table(), target="y", time="x")
    with pytest.raises(InvalidInput, match="both target and time"):
        look(
            table(y=pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 4, 9), eager=True)).with_columns(y2=1),
            target="y",
            time="y",
        )


@pytest.mark.parametrize(
    ("target", "told"),
    [([1] * 100, "only the value 1"), ([None] * 100, "no values"), ([1] * 99 + [None], "only the value 1")],
)
def test_a_target_without_two_values_is_refused(target, told):
    with pytest.raises(InvalidInput, match=told):
        look(table(t=target), target="t")


@pytest.mark.parametrize("frame", [table(19), table(100, t=[0, 1] * 5 + [None] * 90).drop("y").rename({"t": "y"})])
def test_few_labelled_rows_are_refused(frame):
    with pytest.raises(NotEnoughData, match="at least 20"):
        look(frame, target="y")


def test_dates_in_three_formats_are_refused():
    with pytest.raises(InvalidInput, match="3 formats"):
        look(table(when=["2013-01-25", "26/01/2013", "Jan 27, 2013", "2013-01-28"] * 25), target="y")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([None] * 100, "it has no values"),
        (["a"] * 100, "it has only the value 'a'"),
        (list(range(7, 107)), "it numbers the rows"),
        ([f"free text number {n}" for n in range(100)], "it is free text"),
    ],
)
def test_useless_columns_are_left_out_and_said(values, why):
    found = look(table(extra=values), target="y")
    assert found.exclude == ("extra",)
    assert any(why in note for note in found.notes)


def test_a_column_of_one_value_and_gaps_is_kept():
    assert look(table(extra=[1.0, None] * 50), target="y").exclude == ()


@pytest.mark.parametrize(
    ("leak", "why"),
    [
        (pl.col("y"), "a copy of the target"),
        (pl.when(pl.col("y") == 1).then(pl.lit("yes")).otherwise(pl.lit("no")), "under another name"),
        (pl.col("y") * 3 + pl.int_range(100) % 3, "each of its values goes with one value"),
    ],
)
def test_a_feature_that_says_the_class_is_left_out(leak, why):
    found = look(table().with_columns(leak=leak), target="y")
    assert found.exclude == ("leak",)
    assert any(why in note for note in found.notes)


def test_parts_and_scales_of_a_number_are_left_out():
    frame = (
        table().with_columns(a=pl.col("x") * 2 + 1, b=pl.col("z") * 1.5).with_columns(total=pl.col("a") + pl.col("b"))
    )
    found = look(
        frame.with_columns(
            cents=pl.col("total") * 100, before=pl.col("total") - pl.col("x") ** 2, less=pl.col("x") ** 2
        ),
        target="total",
    )
    assert set(found.exclude) == {"a", "b", "cents", "before", "less"}


def test_odd_things_are_noted():
    frame = table(mixed=["1", "2", "3", "many"] * 25).with_columns(y=pl.when(pl.col("z") > 1).then(pl.col("y")))
    notes = "\n".join(look(frame, target="y").notes)
    assert "'mixed' mixes numbers (75.0%) and 25 words (row 4: 'many'" in notes
    assert f"is missing in {frame['y'].null_count()} of 100 rows" in notes
    assert "no time column" in notes


def test_ten_thousand_columns_take_seconds():
    from time import perf_counter

    rng = np.random.default_rng(0)
    frame = pl.DataFrame({f"c{n}": rng.normal(size=50) for n in range(10_000)}).with_columns(y=pl.int_range(50) % 2)
    start = perf_counter()
    assert look(frame, target="y").task is Task.BINARY
    assert perf_counter() - start < 20
