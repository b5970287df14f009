import polars as pl

from homeostat.core.columns import Kind
from homeostat.data.contract import Contract
from homeostat.data.settings import ColumnRule
from homeostat.testing.contracts.checks import broken


def test_values_that_do_not_fit_are_counted_with_their_rows():
    contract = Contract(columns={"a": ColumnRule(kind=Kind.INTEGER), "b": ColumnRule(kind=Kind.INTEGER)})
    (found,) = broken(pl.DataFrame({"a": ["1", "x", None, "2.5"], "b": [1.0, 2.0, None, 3.0]}), contract, "kind")
    assert (found.column, found.count, found.rows) == ("a", 2, [2, 4])


def test_dates_in_several_formats_say_so():
    contract = Contract(columns={"d": ColumnRule(kind=Kind.DATETIME)})
    (found,) = broken(pl.DataFrame({"d": ["2013-01-25", "25/01/2013"]}), contract, "kind")
    assert "2 formats" in found.message
