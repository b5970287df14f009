from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Column, Kind, Task
from homeostat.core.errors import InvalidRows
from homeostat.train.frames import conform, target, to_pandas


def _one(kind, *, nullable=True):
    return (Column(name="x", kind=kind, nullable=nullable),)


@pytest.mark.parametrize(
    ("kind", "nullable", "values", "dtype"),
    [
        (Kind.INTEGER, False, [1, 2], "int64"),
        (Kind.INTEGER, True, [1, 2], "float64"),
        (Kind.FLOAT, False, [1, 2], "float64"),
        (Kind.BOOLEAN, False, [True, False], "bool"),
        (Kind.BOOLEAN, True, [True, False], "float64"),
        (Kind.CATEGORY, True, ["a", "b"], "object"),
        (Kind.CATEGORY, True, [None, None], "object"),
        (Kind.FLOAT, True, [None, None], "float64"),
        (Kind.DATETIME, True, [None, None], "datetime64[us]"),
        (Kind.DATETIME, True, [datetime(2024, 1, 1, tzinfo=UTC)], "datetime64[us]"),
    ],
)
def test_the_type_follows_from_the_signature_and_not_from_the_batch(kind, nullable, values, dtype):
    assert str(to_pandas(pl.DataFrame({"x": values}), _one(kind, nullable=nullable))["x"].dtype) == dtype


def test_columns_are_put_in_the_order_of_the_signature_and_others_left_out(rows, signature):
    frame = rows(10)
    shuffled = frame.select(sorted(frame.columns, reverse=True))
    assert list(to_pandas(shuffled, signature().columns).columns) == list(signature().names)


def test_nulls_are_nan_in_every_type(rows, signature):
    frame = rows(40)
    features = to_pandas(frame, signature().columns)
    for name in signature().names:
        assert features[name].isna().to_numpy().tolist() == frame[name].is_null().to_list()


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        (Kind.CATEGORY, [3, 4], ["3", "4"]),
        (Kind.CATEGORY, [3.0, 4.0], ["3", "4"]),
        (Kind.CATEGORY, [3.5, 4.0], ["3.5", "4.0"]),
        (Kind.INTEGER, [3.0, float("nan")], [3, None]),
        (Kind.FLOAT, ["1.5", None], [1.5, None]),
        (Kind.DATETIME, [date(2024, 1, 2)], [datetime(2024, 1, 2, tzinfo=UTC)]),
        (Kind.DATETIME, ["2024-01-02T03:00:00+02:00"], [datetime(2024, 1, 2, 1, tzinfo=UTC)]),
        (Kind.DATETIME, [datetime(2024, 1, 2)], [datetime(2024, 1, 2, tzinfo=UTC)]),  # noqa: DTZ001 - naive on purpose
    ],
)
def test_harmless_conversions_are_made(kind, given, wanted):
    assert conform(pl.DataFrame({"x": given}), _one(kind))["x"].to_list() == wanted


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (Kind.INTEGER, [2.5]),
        (Kind.INTEGER, [float("inf")]),
        (Kind.FLOAT, ["much"]),
        (Kind.DATETIME, [20240102]),
        (Kind.DATETIME, ["soon"]),
        (Kind.FLOAT, [[1.0]]),
    ],
)
def test_what_cannot_be_converted_without_loss_is_refused_by_name(kind, given):
    with pytest.raises(InvalidRows, match="'x' is not") as raised:
        conform(pl.DataFrame({"x": given}), _one(kind))
    assert [field["field"] for field in raised.value.fields] == ["x"]


def test_a_missing_column_is_named_with_a_near_one(rows, signature):
    with pytest.raises(InvalidRows, match="'city' is missing; did you mean 'citty'"):
        conform(rows(3).rename({"city": "citty"}), signature().columns)


def test_targets_are_floats_in_regression_and_classes_else():
    assert target(pl.Series([1, 2]), Task.REGRESSION).dtype == np.float64
    assert target(pl.Series(["a", "b"]), Task.BINARY).tolist() == ["a", "b"]
    assert target(pl.Series([True, False]), Task.BINARY).tolist() == [True, False]
