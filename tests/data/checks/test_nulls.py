import polars as pl
import pytest

from homeostat.core.columns import Kind
from homeostat.data.contract import Contract
from homeostat.data.settings import ColumnRule
from homeostat.testing.contracts.checks import broken


@pytest.mark.parametrize(
    ("rule", "passes"),
    [
        ({"nullable": False}, False),
        ({"nullable": True}, True),
        ({}, True),
        ({"nullable": True, "max_null_share": 0.5}, True),
        ({"nullable": True, "max_null_share": 0.4}, False),
    ],
)
def test_missing_values_are_allowed_up_to_their_share(rule, passes):
    contract = Contract(columns={"a": ColumnRule(kind=Kind.FLOAT, **rule)})
    found = broken(pl.DataFrame({"a": [1.0, None, float("nan"), 2.0]}), contract, "nulls")
    assert found == [] if passes else (found[0].count, found[0].rows) == (2, [2, 3])


def test_values_that_do_not_fit_are_not_counted_as_missing():
    contract = Contract(columns={"a": ColumnRule(kind=Kind.FLOAT, nullable=False)})
    assert broken(pl.DataFrame({"a": ["1", "x"]}), contract, "nulls") == []
