import polars as pl

from homeostat.core.columns import Kind
from homeostat.data.contract import Contract
from homeostat.data.settings import ColumnRule
from homeostat.testing.contracts.checks import broken


def test_a_unique_column_may_not_repeat_a_value():
    contract = Contract(columns={"a": ColumnRule(kind=Kind.INTEGER, unique=True)})
    (found,) = broken(pl.DataFrame({"a": [1, 2, 1, None, None]}), contract, "unique")
    assert (found.column, found.rows) == ("a", [3])


def test_a_key_of_two_columns_is_unique_as_a_pair():
    contract = Contract(columns={}, key=["a", "b"], key_unique=True)
    assert broken(pl.DataFrame({"a": [1, 1], "b": [1, 2]}), contract, "unique") == []
    (found,) = broken(pl.DataFrame({"a": [1, 1], "b": [2, 2]}), contract, "unique")
    assert (found.column, found.rows) == (None, [2])


def test_a_key_of_earlier_rows_may_not_come_again():
    contract = Contract(columns={}, key=["a"], key_unique=True)
    (found,) = broken(pl.DataFrame({"a": [7, 1, 2]}), contract, "unique", known_keys=pl.DataFrame({"a": [1, 1, 2]}))
    assert found.rows == [2, 3]
    assert broken(pl.DataFrame({"a": [3]}), contract, "unique", known_keys=pl.DataFrame({"a": [1]})) == []
