from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from homeostat.core.columns import Kind
from homeostat.core.errors import InvalidInput
from homeostat.data.cast import DTYPES, cast, conform
from homeostat.data.kinds import infer_kinds

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("values", "kind", "wanted"),
    [
        ([1, None], Kind.FLOAT, [1.0, None]),
        ([1.5, NAN, INF], Kind.FLOAT, [1.5, None, INF]),
        (["1", "NA", " 2.5 ", None], Kind.FLOAT, [1.0, None, 2.5, None]),
        ([True, False], Kind.FLOAT, [1.0, 0.0]),
        ([timedelta(minutes=1)], Kind.FLOAT, [60.0]),
        ([1.0, NAN, None], Kind.INTEGER, [1, None, None]),
        (["1", "2.0", "9007199254740993", ""], Kind.INTEGER, [1, 2, 9007199254740993, None]),
        (["yes", "FALSE", "1", "NA"], Kind.BOOLEAN, [True, False, True, None]),
        ([1, 0, None], Kind.BOOLEAN, [True, False, None]),
        ([1.0, 2.0, None, NAN], Kind.CATEGORY, ["1", "2", None, None]),
        ([1.5, 2.0], Kind.CATEGORY, ["1.5", "2.0"]),
        ([1, 2], Kind.TEXT, ["1", "2"]),
        ([True], Kind.CATEGORY, ["true"]),
        ([None, None], Kind.INTEGER, [None, None]),
        ([date(2020, 1, 2)], Kind.DATETIME, [datetime(2020, 1, 2, tzinfo=UTC)]),
        ([datetime(2020, 1, 2)], Kind.DATETIME, [datetime(2020, 1, 2, tzinfo=UTC)]),  # noqa: DTZ001
        (["2020-01-02T03:00:00+02:00", None], Kind.DATETIME, [datetime(2020, 1, 2, 1, tzinfo=UTC), None]),
        (["13/02/2013", "NA"], Kind.DATETIME, [datetime(2013, 2, 13, tzinfo=UTC), None]),
        (["02/02/2013"], Kind.DATETIME, [datetime(2013, 2, 2, tzinfo=UTC)]),
    ],
)
def test_values_come_into_the_type_of_their_kind(values, kind, wanted):
    done = conform(pl.DataFrame({"x": pl.Series(values, strict=False)}), {"x": kind})
    assert done.schema["x"] == DTYPES[kind]
    assert done["x"].to_list() == wanted


@pytest.mark.parametrize(
    ("values", "kind", "told"),
    [
        ([1.0, 2.5], Kind.INTEGER, "1 of 2 values are not (row 2: 2.5)"),
        ([1.0, INF], Kind.INTEGER, "row 2: inf"),
        ([1e30], Kind.INTEGER, "row 1: 1e+30"),
        (
            ["1", "many", "2", "few"],
            Kind.FLOAT,
            "column 'x' is float, but 2 of 4 values are not (row 2: 'many', row 4: 'few')",
        ),
        (["yes", "perhaps"], Kind.BOOLEAN, "row 2: 'perhaps'"),
        ([0, 2], Kind.BOOLEAN, "row 2: 2"),
        (["2020-01-01", "soon"], Kind.DATETIME, "row 2: 'soon'"),
        ([1, 2], Kind.DATETIME, "2 of 2"),
        ([date(2020, 1, 1)], Kind.FLOAT, "1 of 1"),
        ([[1]], Kind.TEXT, "1 of 1"),
    ],
)
def test_what_does_not_fit_is_named_with_rows_and_values(values, kind, told):
    with pytest.raises(InvalidInput) as caught:
        conform(pl.DataFrame({"x": values}), {"x": kind})
    assert told in caught.value.message
    assert caught.value.hint


def test_dates_in_three_formats_are_refused_with_formats_and_rows():
    frame = pl.DataFrame({"when": ["2013-01-25", "26/01/2013", "Jan 27, 2013", "2013-01-28"]})
    with pytest.raises(InvalidInput) as caught:
        conform(frame, infer_kinds(frame))
    assert caught.value.message == (
        "column 'when': its dates are in 3 formats: YYYY-MM-DD (row 1: '2013-01-25'), "
        "DD/MM/YYYY (row 2: '26/01/2013'), Mon DD, YYYY (row 3: 'Jan 27, 2013')"
    )
    assert "one format" in caught.value.hint


def test_days_that_may_be_months_are_not_guessed():
    with pytest.raises(InvalidInput, match="DD/MM/YYYY or MM/DD/YYYY"):
        conform(pl.DataFrame({"when": ["01/02/2013", "03/04/2013"]}), {"when": Kind.DATETIME})


def test_columns_without_a_kind_stay_as_they_are():
    frame = pl.DataFrame({"x": [1], "other": [[1]]})
    assert conform(frame, {"x": Kind.FLOAT, "absent": Kind.TEXT}).schema == {
        "x": pl.Float64,
        "other": pl.List(pl.Int64),
    }


def test_what_fits_is_kept_beside_what_does_not():
    done = cast(pl.Series("x", ["1", "x", None]), Kind.INTEGER)
    assert done.values.to_list() == [1, None, None]
    assert done.bad.to_list() == [False, True, False]
