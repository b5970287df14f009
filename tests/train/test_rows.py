from datetime import timedelta

import polars as pl
import pytest

from homeostat.core.columns import Roles
from homeostat.core.duration import Duration
from homeostat.core.errors import InvalidInput, NotEnoughData
from homeostat.train.rows import training_rows
from homeostat.train.settings import TrainSettings


def test_rows_without_a_label_are_left_out_and_the_rest_put_in_order_of_time(rows, roles):
    frame = rows(20).with_columns(late=pl.when(pl.int_range(20) < 5).then(None).otherwise("late"))
    kept = training_rows(frame.sample(fraction=1.0, shuffle=True, seed=1), roles=roles, settings=TrainSettings())
    assert kept["at"].to_list() == frame["at"][5:].to_list()


def test_nan_is_no_label():
    frame = pl.DataFrame({"x": [1, 2, 3], "y": [1.0, float("nan"), None]})
    assert training_rows(frame, roles=Roles(target="y"), settings=TrainSettings())["x"].to_list() == [1]


def test_the_window_counts_from_the_newest_labelled_row(rows, roles):
    frame = rows(48).with_columns(late=pl.when(pl.int_range(48) >= 40).then(None).otherwise("late"))
    kept = training_rows(frame, roles=roles, settings=TrainSettings(window=Duration(hours=10)))
    assert len(kept) == 10
    assert kept["at"].max() - kept["at"].min() == timedelta(hours=9)


def test_the_newest_of_too_many_stay(rows, roles):
    kept = training_rows(rows(50), roles=roles, settings=TrainSettings(max_rows=8))
    assert kept["at"].to_list() == rows(50)["at"][-8:].to_list()


def test_without_time_a_seeded_sample_stays(rows):
    roles, settings = Roles(target="late"), TrainSettings(max_rows=8, seed=5)
    first, second = (training_rows(rows(50), roles=roles, settings=settings) for _ in range(2))
    assert first.equals(second)
    assert len(first) == 8
    assert not first.equals(training_rows(rows(50), roles=roles, settings=TrainSettings(max_rows=8, seed=6)))


@pytest.mark.parametrize("time", ["at", None])
def test_choosing_twice_changes_nothing(rows, time):
    roles, settings = (
        Roles(target="late", time=time),
        TrainSettings(max_rows=30, window=Duration(hours=40) if time else None),
    )
    once = training_rows(rows(60), roles=roles, settings=settings)
    assert training_rows(once, roles=roles, settings=settings).equals(once)


def test_no_labels_and_a_window_without_time_are_refused(rows, roles):
    with pytest.raises(NotEnoughData, match="none of 9 rows"):
        training_rows(rows(9).with_columns(late=pl.lit(None, pl.String)), roles=roles, settings=TrainSettings())
    with pytest.raises(InvalidInput, match="needs a time column"):
        training_rows(rows(9), roles=Roles(target="late"), settings=TrainSettings(window=Duration(days=1)))
