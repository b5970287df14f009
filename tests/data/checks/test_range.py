import polars as pl

from homeostat.core.columns import Kind
from homeostat.data.contract import Contract
from homeostat.data.settings import ColumnRule
from homeostat.testing.contracts.checks import broken


def test_bounds_are_included_and_nan_is_not_out_of_them():
    contract = Contract(columns={"a": ColumnRule(kind=Kind.FLOAT, min=0, max=1)})
    assert broken(pl.DataFrame({"a": [0.0, 1.0, None, float("nan")]}), contract, "range") == []
    below, above = broken(pl.DataFrame({"a": [-0.1, 1.1, float("inf"), 0.5]}), contract, "range")
    assert (below.rows, above.rows) == ([1], [2, 3])
    assert "above 1" in above.message


def test_one_bound_is_enough():
    contract = Contract(columns={"a": ColumnRule(kind=Kind.INTEGER, max=9)})
    (found,) = broken(pl.DataFrame({"a": [-(2**63), 2**63 - 1]}), contract, "range")
    assert found.rows == [2]
