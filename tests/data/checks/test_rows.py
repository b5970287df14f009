import polars as pl

from homeostat.data.contract import Contract
from homeostat.data.settings import ColumnRule
from homeostat.testing.contracts.checks import broken


def test_the_number_of_rows_lies_between_its_bounds():
    contract = Contract(columns={"a": ColumnRule()}, min_rows=2, max_rows=3)
    for rows, passes in ((1, False), (2, True), (3, True), (4, False)):
        assert (broken(pl.DataFrame({"a": range(rows)}), contract, "rows") == []) is passes
