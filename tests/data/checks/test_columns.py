import polars as pl

from homeostat.data.contract import Contract
from homeostat.data.settings import ColumnRule
from homeostat.testing.contracts.checks import broken


def contract(**more):
    return Contract(columns={"a": ColumnRule(required=True), "b": ColumnRule()}, **more)


def test_only_required_columns_are_missed():
    (found,) = broken(pl.DataFrame({"c": [1, 2]}), contract(), "columns")
    assert (found.column, found.count, found.message) == ("a", 2, "column 'a' is missing")
    assert broken(pl.DataFrame({"a": [1]}), contract(), "columns") == []


def test_other_columns_are_refused_where_the_contract_says_so():
    frame = pl.DataFrame({"a": [1], "z": [1]})
    assert broken(frame, contract(), "columns") == []
    (found,) = broken(frame, contract(allow_extra_columns=False), "columns")
    assert found.column == "z"
